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
        const printed = (await cli().home.json([...path.split(" "), ...args])) as Record<
          string,
          unknown
        >;
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

    test("rotate takes a step, says what is next, and refuses one that is too early or out of order", async () => {
      const { layout } = cli().deployment.system;
      const log = ["--deployment", layout.data, "--use", "log"];
      const rotated = await cli().home.json(["keyset", "rotate", "accept", ...log]);
      cli().printed.set("keyset rotate", rotated);
      expect(rotated).toMatchObject({
        keys: [{ changed: true, rotation: { use: "log", next: "prefer" } }],
      });
      const early = await cli().home.run(["keyset", "rotate", "prefer", ...log]);
      expect(early).toMatchObject({ code: 5, out: "" });
      expect(early.err).toContain("it is too early for prefer");
      const wrong = await cli().home.run(["keyset", "rotate", "retire", ...log]);
      expect(wrong).toMatchObject({ code: 5, out: "" });
      expect(wrong.err).toContain("run the step prefer first");
      const hurried = await cli().home.run(["keyset", "rotate", "prefer", ...log, "--now"]);
      expect(hurried).toMatchObject({ code: 0 });
      for (const [args, sentence] of [
        [["rotate", "begin", ...log], '"begin" is not a step'],
        [
          ["rotate", "accept", "--deployment", layout.data, "--use", "answer"],
          "--use answer needs --holder",
        ],
        [
          ["rotate", "accept", ...log, "--holder", "policy"],
          "--holder goes with --use answer alone",
        ],
      ] as const) {
        const refused = await cli().home.run(["keyset", ...args]);
        expect(refused).toMatchObject({ code: 2, out: "" });
        expect(refused.err).toContain(sentence);
      }
      const file = join(layout.keyset, "keyset.bin");
      const shown = await cli().home.json(["keyset", "show", file, "--deployment", layout.data]);
      cli().printed.set("keyset show", shown);
      const { keys, rotations } = shown as {
        keys: { use: string; state: string }[];
        rotations: object[];
      };
      expect(keys.filter(({ use }) => use === "LOG").map(({ state }) => state)).toEqual([
        "preferred",
        "former",
      ]);
      expect(rotations).toHaveLength(10);
      const text = await cli().home.run(["keyset", "show", file, "--deployment", layout.data]);
      expect(text.out).toContain("log key: next retire");
      expect(text.out).toContain("policy answer key: next accept, at any time");
    });
  });
}
