import type { Random } from "./random.ts";

type Mutation = (
  input: Buffer,
  random: Random,
  seeds: readonly Buffer[],
  words: readonly Buffer[],
) => Buffer;

const mostBytes = 4096;
const edges = [
  0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, 0x27, 0x2c, 0x3a, 0x3b, 0x3d, 0x0a, 0x0d, 0x5c, 0x2e,
];

function spliced(input: Buffer, at: number, removed: number, inserted: Uint8Array): Buffer {
  return Buffer.concat([input.subarray(0, at), inserted, input.subarray(at + removed)]);
}

const mutations: readonly Mutation[] = [
  (input, random) => {
    const changed = Buffer.from(input);
    if (changed.length === 0) return changed;
    const at = random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
    return changed;
  },
  (input, random) => {
    const changed = Buffer.from(input);
    if (changed.length > 0) changed[random.below(changed.length)] = random.pick(edges);
    return changed;
  },
  (input, random) =>
    spliced(input, random.below(input.length + 1), 0, random.bytes(1 + random.below(4))),
  (input, random) =>
    spliced(input, random.below(input.length + 1), 1 + random.below(8), Buffer.alloc(0)),
  (input, random) => {
    const from = random.below(input.length + 1);
    const part = input.subarray(from, from + 1 + random.below(64));
    return spliced(input, random.below(input.length + 1), 0, part);
  },
  (input, random, seeds) => {
    const other = random.pick(seeds);
    const from = random.below(other.length + 1);
    return Buffer.concat([input.subarray(0, random.below(input.length + 1)), other.subarray(from)]);
  },
  (input, random, _, words) => {
    const word = words.length > 0 ? random.pick(words) : random.bytes(2);
    return spliced(input, random.below(input.length + 1), random.below(2) * word.length, word);
  },
  (input, random) => {
    const digits = /\d+/.exec(input.subarray(random.below(input.length + 1)).toString("latin1"));
    if (!digits) return input;
    const at = input.indexOf(digits[0]);
    const number = random.pick([
      "0",
      "-1",
      "01",
      "1e9",
      "4294967296",
      "9223372036854775808",
      "0x1",
      "1.0",
    ]);
    return spliced(input, at, digits[0].length, Buffer.from(number));
  },
];

/** Changes an input in one to five places. */
export function mutate(
  input: Buffer,
  random: Random,
  seeds: readonly Buffer[],
  words: readonly Buffer[],
): Buffer {
  let changed = input;
  for (let left = 1 + random.below(1 + random.below(5)); left > 0; left -= 1)
    changed = random.pick(mutations)(changed, random, seeds, words);
  return changed.subarray(0, mostBytes);
}
