import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { enroll, parseToken } from "@sallyport/client";
import { describe, expect, test } from "vitest";
import type { Cli } from "./state.ts";

/** Identities: their folder, which one is used, and how they are made. */
export function describeIdentities(cli: () => Cli): void {
  describe("identities", () => {
    test("live by vault in files that only their owner may open, with nothing beside them", () => {
      expect(readdirSync(cli().folder()).toSorted()).toEqual([
        "current",
        expect.stringMatching(/^vlt_/),
      ]);
      expect(readdirSync(cli().vaultFolder()).toSorted()).toEqual(["machine.json", "user.json"]);
      for (const path of [cli().folder(), cli().vaultFolder()])
        expect(statSync(path).mode & 0o777).toBe(0o700);
      for (const name of ["machine.json", "user.json"])
        expect(statSync(join(cli().vaultFolder(), name)).mode & 0o777).toBe(0o600);
    });

    test("are listed, shown and chosen", async () => {
      expect(await cli().note("vault list")).toMatchObject([
        { name: "default", current: true, user: { name: "ada" }, machine: { id: cli().machineId } },
      ]);
      await cli().note("vault show");
      await cli().note("vault use", ["default"]);
      await cli().note("whoami");
      expect(await cli().home.json(["whoami", "--as", "machine"])).toMatchObject({
        kind: "machine",
        role: null,
      });
      const unknown = await cli().home.run(["whoami", "--vault", "other"]);
      expect(unknown).toMatchObject({ code: 5 });
      expect(unknown.err).toMatch(/no identity of a vault other.*\n.*vault list/);
    });

    test("of another vault than was named are never used", async () => {
      const identity = join(cli().vaultFolder(), "user.json");
      for (const named of [
        { SALLYPORT_VAULT: "vlt_00000000000000000000" },
        { SALLYPORT_VAULT: "staging" },
      ]) {
        const { code, err } = await cli().home.run(["whoami"], {
          env: { ...named, SALLYPORT_IDENTITY: identity },
        });
        expect(code).toBe(4);
        expect(err).toMatch(/is an identity of vlt_\w+, not of/);
      }
      const machine = await cli().home.run([
        "project",
        "create",
        "x",
        "--identity",
        join(cli().vaultFolder(), "machine.json"),
      ]);
      expect(machine).toMatchObject({ code: 4 });
      expect(machine.err).toMatch(/is a machine's identity, and this takes a user's/);
    });

    test("that others may open are refused with the command that mends it", async () => {
      const path = join(cli().vaultFolder(), "machine.json");
      for (const [loosen, tighten, target] of [
        [0o640, 0o600, path],
        [0o750, 0o700, cli().vaultFolder()],
        [0o711, 0o700, cli().folder()],
      ] as const) {
        chmodSync(target, loosen);
        const { code, err } = await cli().home.run(["list"]);
        chmodSync(target, tighten);
        expect(code).toBe(4);
        expect(err).toContain(`chmod ${tighten.toString(8)} ${target}`);
      }
    });

    test("work from a path when there is no home to write to", async () => {
      const env = {
        HOME: "/proc/nowhere",
        XDG_CONFIG_HOME: "",
        SALLYPORT_IDENTITY: join(cli().vaultFolder(), "machine.json"),
      };
      for (const args of [
        ["get", "DB_URL"],
        ["list"],
        ["run", "--only", "DB_URL", "--", "true"],
        ["doctor"],
      ])
        expect(await cli().home.run(args, { env }), args.join(" ")).toMatchObject({ code: 0 });
      const path = join(cli().home.dir, "elsewhere", "machine.json");
      const enrolled = await cli().home.run(["enroll", "--identity", path], {
        env: { ...env, SALLYPORT_IDENTITY: "", SALLYPORT_ENROLLMENT_TOKEN: cli().token },
      });
      expect(enrolled.code, enrolled.err).toBe(0);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    });

    test("with a clock that is wrong: by minutes it is corrected and said, by more explained", async () => {
      const wrongBy = (ms: number): Record<string, string> => ({
        NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(`const now=Date.now;Date.now=()=>now()+(${ms})`)}`,
      });
      const behind = await cli().home.run(["get", "DB_URL"], { env: wrongBy(-300_000) });
      expect(behind).toMatchObject({ code: 0, out: "postgres://db/2" });
      expect(behind.err).toMatch(
        /^sallyport: this computer's clock is 5 min behind: going on by the server's\n$/,
      );
      const ahead = await cli().home.run(["get", "DB_URL"], { env: wrongBy(1_800_000) });
      expect(ahead).toMatchObject({ code: 4, out: "" });
      expect(ahead.err).toMatch(
        /clock is wrong: the server's says \d{4}-.*CLOCK_SKEW.*\n {2}→ set the clock/,
      );
      const doctor = await cli().home.run(["doctor"], { env: wrongBy(120_000) });
      expect(doctor).toMatchObject({ code: 4 });
      expect(doctor.out).toMatch(/✗ clock +2 min ahead of the server's\n +→ set the clock/);
    });

    test("come about with a CA file that another was joined to without a line end", async () => {
      const own = readFileSync(cli().home.env["SALLYPORT_CA"] ?? "", "utf8").trimEnd();
      const path = join(cli().home.dir, "bundle.pem");
      for (const joined of [
        `${own}${rootCertificates[0] ?? ""}`,
        `${rootCertificates[0] ?? ""}${own}`,
      ]) {
        writeFileSync(path, joined);
        const env = { SALLYPORT_CA: path, SALLYPORT_ENROLLMENT_TOKEN: cli().token };
        const checked = await cli().home.run(["enroll", "--dry-run", "--timeout", "5s"], { env });
        expect(checked.code, checked.err).toBe(0);
      }
      rmSync(path); // A folder with certificates is a deployment to doctor.
    });

    test("of jobs that enroll at once are each its own, in one home and with files of their own", async () => {
      const { token } = (await cli().home.json([
        "token",
        "create",
        "--project",
        "web",
        "--uses",
        "9",
      ])) as {
        token: string;
      };
      const shared = join(cli().home.dir, "shared", "machine.json");
      const fileOf = (index: number) =>
        index < 3 ? shared : join(cli().home.dir, `job-${index}.json`);
      const made = await Promise.all(
        Array.from({ length: 6 }, async (_, index) => {
          const env = { SALLYPORT_IDENTITY: fileOf(index), SALLYPORT_ENROLLMENT_TOKEN: token };
          const args = ["enroll", "--name", `par-${index}`];
          return (await cli().home.json(args, { env })) as { name: string; machineId: string };
        }),
      );
      expect(made.map(({ name }) => name)).toEqual(made.map((_, index) => `par-${index}`));
      expect(new Set(made.map(({ machineId }) => machineId)).size).toBe(6);
      for (const [index, { machineId }] of made.slice(3).entries()) {
        const env = { SALLYPORT_IDENTITY: fileOf(index + 3) };
        expect(await cli().home.json(["whoami", "--as", "machine"], { env })).toMatchObject({
          principalId: machineId,
        });
      }
    });

    test("enroll --if-needed keeps what lives of this token, and enrolls otherwise, saying why", async () => {
      const { token } = (await cli().home.json([
        "token",
        "create",
        "--project",
        "web",
        "--uses",
        "9",
      ])) as {
        token: string;
      };
      const path = join(cli().home.dir, "job", "machine.json");
      const env = { SALLYPORT_IDENTITY: path, SALLYPORT_ENROLLMENT_TOKEN: token };
      const enrolled = async (
        args: readonly string[] = [],
        more: Readonly<Record<string, string>> = {},
      ) =>
        (await cli().home.json(["enroll", "--if-needed", ...args], {
          env: { ...env, ...more },
        })) as {
          machineId: string;
          enrolled: boolean;
          why: string | null;
        };
      const first = await enrolled();
      expect(first).toMatchObject({ enrolled: true, why: "there was no identity" });
      expect(await enrolled()).toEqual({ ...first, enrolled: false, why: null });
      const { out } = await cli().home.run(["enroll", "--if-needed"], { env });
      expect(out).toMatch(/^✓ this machine is still .* in default {2}mch_/);
      expect(await enrolled(["--left", "365d"])).toMatchObject({
        enrolled: true,
        why: /nearly over/,
      });
      const named = await enrolled(["--name", "job-7"]);
      expect(named.why).toMatch(/^the machine was called /);
      expect(await enrolled(["--name", "job-7"])).toMatchObject({ enrolled: false });
      await cli().admin.services.machines.revokeMachine({ machineId: named.machineId });
      // A gateway learns of the revocation a moment after its answer.
      await expect
        .poll(() => enrolled(["--name", "job-7"]))
        .toMatchObject({ enrolled: true, why: "the former machine was disabled or revoked" });
      const other = { SALLYPORT_ENROLLMENT_TOKEN: cli().token };
      expect(await enrolled([], other)).toMatchObject({
        enrolled: true,
        why: "the identity was of another token",
      });
      writeFileSync(path, "{}", { mode: 0o600 });
      expect(await enrolled()).toMatchObject({ enrolled: true, why: "there was no identity" });
      const plain = await cli().home.run(["enroll"], { env });
      expect(plain.err).toMatch(
        /^sallyport: the identity of .* is replaced; "sallyport machine revoke mch_/,
      );
      expect(plain.code).toBe(0);
    });

    test("an enrollment whose reply was lost takes up its key and spends no second use", async () => {
      const path = join(cli().home.dir, "lost", "machine.json");
      const { id } = parseToken(cli().token, "enr");
      const before =
        (await cli().admin.services.enrollment.getToken({ tokenId: id })).token?.uses ?? 0;
      const seed = Buffer.alloc(32, 7);
      // The server enrolled this key, and its answer never came.
      const { principalId, name } = await enroll(cli().deployment.endpoint, cli().token, { seed });
      mkdirSync(join(cli().home.dir, "lost"), { mode: 0o700 });
      const pending = `${path}.pending`;
      writeFileSync(pending, JSON.stringify({ tokenId: id, seed: seed.toString("base64") }), {
        mode: 0o600,
      });
      const again = await cli().home.json(["enroll", "--identity", path], {
        env: { SALLYPORT_ENROLLMENT_TOKEN: cli().token },
      });
      expect(again).toMatchObject({ machineId: principalId, name });
      expect(existsSync(pending)).toBe(false);
      expect((await cli().admin.services.enrollment.getToken({ tokenId: id })).token?.uses).toBe(
        before + 1,
      );
    });

    test("an enrollment keeps its key before it asks, and only as long as it may have been heard", async () => {
      const path = join(cli().home.dir, "unheard", "machine.json");
      const env = { SALLYPORT_ENROLLMENT_TOKEN: cli().token, SALLYPORT_URL: "https://localhost:1" };
      const unheard = await cli().home.run(["enroll", "--identity", path, "--timeout", "1s"], {
        env,
      });
      expect(unheard).toMatchObject({ code: 6 });
      expect(unheard.err).toMatch(/trying again in .*\n.*UNREACHABLE/s);
      expect(statSync(`${path}.pending`).mode & 0o777).toBe(0o600);
      const { id } = parseToken(cli().token, "enr");
      await cli().admin.services.enrollment.revokeToken({ tokenId: id, reason: "test" });
      const refused = await cli().home.run(["enroll", "--identity", path], {
        env: { SALLYPORT_ENROLLMENT_TOKEN: cli().token },
      });
      expect(refused).toMatchObject({ code: 3 });
      expect(refused.err).toMatch(/was revoked \[TOKEN_REVOKED\]\n {2}→ ask for a new one/);
      expect(existsSync(`${path}.pending`)).toBe(false);
    });
  });
}
