/** How much is held under each key; a key under which nothing is held takes no memory. */
export type Counts = {
  of(key: string): number;
  /** Adds, or takes away where it is negative. */
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
