/** Counts by key; a key with a count of zero uses no memory. */
export type Counts = {
  of(key: string): number;
  /** Adds to a count, or subtracts where `by` is negative. */
  add(key: string, by: number): void;
};

/** Makes counts that are all zero. */
export function createCounts(): Counts {
  const counts = new Map<string, number>();
  return {
    of: (key) => counts.get(key) ?? 0,
    add(key, by) {
      const count = (counts.get(key) ?? 0) + by;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    },
  };
}
