import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { placeIdentity } from "../testing/identities.ts";
import { sallyport } from "../testing/sallyport.ts";

// On a busy machine each process takes a second.
vi.setConfig({ testTimeout: 60_000 });

let home: string;
let path: string;
let vaultId: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sallyport-logout-"));
  vaultId = await placeIdentity(home, { kind: "machine", vaultName: "prod" });
  path = join(home, ".config", "sallyport", vaultId, "machine.json");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const logout = (args: readonly string[], env: Record<string, string> = {}) =>
  sallyport(["logout", "--local-only", ...args], { HOME: home, ...env });

describe("logout", () => {
  test("leaves a file that is no identity as it is", async () => {
    const file = join(home, "notes.txt");
    writeFileSync(file, "not to be lost", { mode: 0o600 });
    for (const named of [["--identity", file], []]) {
      const { code, err } = await logout(named, { SALLYPORT_IDENTITY: file });
      expect(code).toBe(4);
      expect(err).toContain("IDENTITY_INVALID");
    }
    expect(readFileSync(file, "utf8")).toBe("not to be lost");
  });

  test("passes over no identity that others may read: its key has to end at the server", async () => {
    chmodSync(path, 0o644);
    const { code, err } = await logout(["--identity", path]);
    expect(code).toBe(4);
    expect(err).toContain(`chmod 600 ${path}`);
    expect(readFileSync(path, "utf8")).toContain('"machine"');
  });

  test("ends no identity of another kind or vault than was named", async () => {
    for (const args of [
      ["--as", "user"],
      ["--vault", "staging"],
    ]) {
      const { code, err } = await logout(args, { SALLYPORT_IDENTITY: path });
      expect(code).toBe(4);
      expect(err).toContain("IDENTITY_UNFIT");
    }
    const { code, out } = await logout(["--as", "machine", "--vault", "prod", "--json"], {
      SALLYPORT_IDENTITY: path,
    });
    expect({ code, ...JSON.parse(out) }).toEqual({
      code: 0,
      removed: [path],
      ended: [],
      notEnded: [],
    });
  });

  test("of a file that is not there is no failure", async () => {
    const { code, out } = await logout(["--identity", join(home, "none.json")]);
    expect({ code, out }).toEqual({ code: 0, out: "There was nothing to remove.\n" });
  });
});
