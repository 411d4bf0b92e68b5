/** Numbers that follow from a seed alone. */
export type Random = {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  shuffled<T>(items: readonly T[]): T[];
};

/**
 * Makes the numbers of a seed, a 32-bit integer, by an xorshift generator with a multiplied state.
 */
export function createRandom(seed: number): Random {
  let state = BigInt(seed >>> 0) * 0x9e3779b97f4a7c15n + 1n;
  const next = (): number => {
    state = BigInt.asUintN(64, state ^ (state >> 12n));
    state = BigInt.asUintN(64, state ^ (state << 25n));
    state = BigInt.asUintN(64, state ^ (state >> 27n));
    return Number(BigInt.asUintN(64, state * 0x2545f4914f6cdd1dn) >> 32n);
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    shuffled(items) {
      const left = [...items];
      return items.flatMap(() => left.splice(below(left.length), 1));
    },
  };
}
