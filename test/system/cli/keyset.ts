import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Cli } from "./state.ts";

/** The keyset as who runs the deployment keeps it. */
export function describeKeysets(cli: () => Cli): void {
  describe("keyset", () => {
    test("sign, renew and show go on from what the start left, and the system goes on with it", async () => {
      const { layout, rootFingerprint } = cli().deployment.system;
      const dir = join(cli().home.dir, "keyset");
      cpSync(layout.keyset, dir, { recursive: true });
      const file = join(dir, "keyset.bin");
      const json = async (path: string, args: readonly string[]) => {
        const printed = (await cli().home.json([...path.split(" "), ...args])) as Record<string, unknown>;
        cli().printed.set(path, printed);
        return printed;
      };
      const before = await json("keyset show", [file]);
      expect(before).toMatchObject({ rootFingerprint, epoch: 1 });
      const rootKey = join(layout.root, "root.key");
      const signed = await json("keyset sign", ["--root-key", rootKey, "--dir", dir]);
      expect(signed["minEpoch"]).toBeGreaterThan(Number(before["maxEpoch"]));
      const copy = join(cli().home.dir, "copy.bin");
      const renewed = await json("keyset renew", ["--dir", dir, "--to", copy]);
      expect(renewed).toMatchObject({ epoch: signed["minEpoch"], files: [file, copy] });
      expect(readFileSync(copy)).toEqual(readFileSync(file));
      expect((await cli().home.run(["keyset", "show", copy])).out).toContain("SEALING");
      const missing = await cli().home.run(["keyset", "renew", "--dir", join(dir, "none")]);
      expect(missing).toMatchObject({ code: 5, out: "" });
      expect(missing.err).toContain('make one with "sallyport keyset sign"');
    });
  });
}
