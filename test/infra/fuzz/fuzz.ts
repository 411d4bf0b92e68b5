import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { mutate } from "./mutate.ts";
import { type Random, randomOf } from "./random.ts";

/** A parser under test. */
export type FuzzTarget = {
  readonly name: string;
  /** Inputs from which others are made: good ones, and whatever was of interest once. */
  readonly seeds: readonly Uint8Array[];
  /** What the grammar is made of. */
  readonly words?: readonly string[];
  /** Makes an input by the grammar, in place of a seed. */
  readonly generate?: (random: Random) => Uint8Array;
  /**
   * Parses: true for what was read, after checking that it is written again as the same; false for
   * a typed refusal. Whatever it throws is a finding.
   */
  readonly accepts: (input: Buffer) => boolean | Promise<boolean>;
};

/** What a run did. */
export type FuzzReport = {
  readonly name: string;
  readonly cases: number;
  readonly read: number;
  readonly seconds: number;
  readonly grownBytes: number;
};

/**
 * How long to run, and from which seed: SALLYPORT_FUZZ_CASES (of each target) and
 * SALLYPORT_FUZZ_SEED say so.
 */
export type FuzzRun = {
  readonly seed: number;
  readonly cases: number | undefined;
  readonly ms: number;
};

const shortMs = 1_200;
const warmUp = 500;

/**
 * Reads the run from the environment: about a second for each target unless a number of cases is
 * given.
 */
export function fuzzRun(env: Readonly<Record<string, string | undefined>> = process.env): FuzzRun {
  const { SALLYPORT_FUZZ_CASES: cases, SALLYPORT_FUZZ_SEED: seed } = env;
  return {
    seed: seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(seed),
    cases: cases === undefined ? undefined : Number(cases),
    ms: shortMs,
  };
}

/**
 * Runs every seed, then cases made from them, each by the seed and its number alone. A finding is
 * an Error that names target, seed, number and input in base64; SALLYPORT_FUZZ_SEED runs the same
 * cases again.
 */
export async function fuzz(target: FuzzTarget, { seed, cases, ms }: FuzzRun): Promise<FuzzReport> {
  const seeds = target.seeds.map((bytes) => Buffer.from(bytes));
  const words = (target.words ?? []).map((word) => Buffer.from(word));
  let read = 0;
  for (const [index, input] of seeds.entries())
    read += await run(target, input, `seed ${index} of the corpus`);
  const begunMs = performance.now();
  let before = 0;
  let index = 0;
  for (; cases === undefined ? performance.now() - begunMs < ms : index < cases; index += 1) {
    // Code is compiled and caches are filled by then.
    if (index === warmUp) before = heapBytes();
    const random = randomOf(seed, index);
    const from =
      target.generate && random.below(2) === 0 ? target.generate(random) : random.pick(seeds);
    const input =
      random.below(4) === 0 ? Buffer.from(from) : mutate(Buffer.from(from), random, seeds, words);
    read += await run(target, input, `seed ${seed}, case ${index}`);
  }
  const grownBytes = index > warmUp ? Math.max(0, heapBytes() - before) : 0;
  const seconds = (performance.now() - begunMs) / 1000;
  return { name: target.name, cases: index + seeds.length, read, seconds, grownBytes };
}

async function run(target: FuzzTarget, input: Buffer, where: string): Promise<number> {
  try {
    return (await target.accepts(input)) ? 1 : 0;
  } catch (cause) {
    const told = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new Error(`${target.name}, ${where}: ${told}: ${input.toString("base64")}`, { cause });
  }
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
  return process.memoryUsage().heapUsed;
}
