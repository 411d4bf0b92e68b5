import { fuzz, fuzzRun } from "@sallyport/test/infra";
import { describe, expect, test } from "vitest";
import { contentTargets } from "./contents.ts";
import { evidenceTargets } from "./evidence.ts";
import { textTargets } from "./texts.ts";

const run = fuzzRun();
const mostGrowthBytes = 16 * 1024 * 1024;

/**
 * Every parser that strangers or thieves reach: an input is refused in a typed way, or read and
 * written again as the same. The first case that is neither ends the run and is named; it belongs
 * into the corpus once it is mended.
 */
describe(`fuzzing, seed ${run.seed}`, () => {
  test.each([...textTargets, ...contentTargets, ...evidenceTargets])(
    "$name",
    async (target) => {
      const { cases, read, seconds, grownBytes } = await fuzz(target, run);
      console.log(
        `  ${target.name}: ${cases} cases, ${read} read, ${seconds.toFixed(1)} s, +${(grownBytes / 1024).toFixed(0)} KiB`,
      );
      expect(grownBytes).toBeLessThan(mostGrowthBytes);
    },
    3_600_000,
  );
});
