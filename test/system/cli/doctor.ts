import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Identity, loadIdentity } from "@sallyport/client";
import { describe, expect, test } from "vitest";
import type { Cli } from "./state.ts";

/** The findings of doctor. */
export function describeDoctor(cli: () => Cli): void {
  describe("doctor", () => {
    const findings = async (env: Record<string, string> = {}) => {
      const { code, out } = await cli().home.run(["doctor", "--json"], { env });
      return {
        code,
        found: JSON.parse(out) as {
          check: string;
          status: string;
          detail: string;
          fix: string | null;
        }[],
      };
    };
    const faultOf = (found: Awaited<ReturnType<typeof findings>>["found"]) =>
      found.find(({ status }) => status === "bad");

    test("finds everything well", async () => {
      const { code, found } = await findings();
      cli().printed.set("doctor", found);
      expect(found.filter(({ status }) => status !== "ok")).toEqual([]);
      expect(code).toBe(0);
      for (const check of [
        "runtime",
        "environment",
        "identity",
        "reach",
        "TLS",
        "root",
        "clock",
        "accepted",
      ])
        expect(found.map((finding) => finding.check)).toContain(check);
      expect((await cli().home.run(["doctor"])).out).toMatch(/^✓ runtime {6}Node \d+/);
    });

    test("finds what ends in a data directory, for its operator", async () => {
      const { layout } = cli().deployment.system;
      const { code, out } = await cli().home.run(["doctor", "--json", "--data", layout.data]);
      expect(JSON.parse(out)).toMatchObject([
        { check: "runtime" },
        { check: "root", status: "ok" },
        {
          check: "certificates",
          status: "ok",
          detail: expect.stringContaining("in 36") as unknown,
        },
      ]);
      expect(code).toBe(0);
      const none = await cli().home.run(["doctor", "--data", cli().home.dir]);
      expect(none).toMatchObject({
        code: 2,
        out: expect.stringContaining("--data DIR") as unknown,
      });
    });

    async function withIdentity(change: Partial<Identity>, kind: Identity["kind"] = "machine") {
      const path = join(cli().home.dir, "changed.json");
      const identity = {
        ...(await loadIdentity(join(cli().vaultFolder(), `${kind}.json`))),
        ...change,
      };
      writeFileSync(path, JSON.stringify(identity), { mode: 0o600 });
      return findings({ SALLYPORT_IDENTITY: path, SALLYPORT_URL: "", SALLYPORT_CA: "" });
    }

    test.each<[string, Partial<Identity>, string, number, RegExp]>([
      ["a gateway out of reach", { url: "https://localhost:1" }, "reach", 6, /runs/],
      ["a certificate that nobody trusts", { ca: "" }, "TLS", 6, /CA/],
      ["another root", { rootFingerprint: "A".repeat(43) }, "root", 4, /operator/],
      [
        "a key that the server does not know",
        { seed: Buffer.alloc(32, 9).toString("base64") },
        "accepted",
        4,
        /enroll/,
      ],
      [
        "an identity past its time",
        { expiresAt: "2020-01-01T00:00:00.000Z" },
        "identity",
        4,
        /enroll/,
      ],
    ])("finds %s", async (_, change, check, code, fix) => {
      const result = await withIdentity(change);
      expect(result.code, JSON.stringify(result.found)).toBe(code);
      expect(faultOf(result.found)).toMatchObject({
        check,
        fix: expect.stringMatching(fix) as unknown,
      });
    });

    test("says how a key goes on that ends soon", async () => {
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      const { code, found } = await withIdentity({ expiresAt }, "user");
      expect(code).toBe(0);
      expect(found.filter(({ status }) => status === "warn")).toMatchObject([
        { check: "identity", fix: 'run "sallyport device renew" while the key works' },
      ]);
    });

    test("finds loose modes, misspelt variables and broken settings", async () => {
      const path = join(cli().vaultFolder(), "user.json");
      chmodSync(path, 0o644);
      const loose = await findings();
      chmodSync(path, 0o600);
      expect(loose.code).toBe(4);
      expect(faultOf(loose.found)).toMatchObject({ check: "identity", fix: `chmod 600 ${path}` });
      const misspelt = await findings({ SALLYPORT_IDENTIY: "x" });
      expect(misspelt.code).toBe(0);
      expect(misspelt.found).toContainEqual(
        expect.objectContaining({ status: "warn", check: "environment" }),
      );
      expect((await findings({ SALLYPORT_URL: "localhost:1" })).code).toBe(2);
      expect((await findings({ SALLYPORT_ENROLLMENT_TOKEN: "sp_enr_x" })).code).toBe(2);
    });
  });
}
