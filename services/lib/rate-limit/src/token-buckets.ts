/**
 * Token buckets: rate limits by name, such as a source address or a principal.
 *
 * It exists so that every rate limit of a process is kept the same way, in memory that is bounded
 * even if callers make up names. It must never be driven by a wall clock: the clock that a caller
 * gives is monotonic.
 */

/** A token bucket: so many tokens a second on average, so many at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** Token buckets by name, each full at first. */
export type Buckets = {
  /** Takes so many tokens, one unless given, and returns 0; or takes none and returns waitMs. */
  take(name: string, count?: number): number;
  /**
   * Milliseconds until so many tokens can be taken, 0 when they can be now; Infinity for more than
   * a bucket holds.
   */
  waitMs(name: string, count: number): number;
  /**
   * Takes tokens whether there are so many or not; what is missing is made good before more can be
   * taken.
   */
  charge(name: string, count: number): void;
  /** Puts one back that was taken for nothing. */
  giveBack(name: string): void;
  /**
   * Which part of the tokens is taken: 0 when the bucket is full, 1 when it is empty, more when it
   * is charged further.
   */
  used(name: string): number;
  /** The number of names that are remembered. */
  size(): number;
  /** The largest number of names. */
  readonly capacity: number;
};

/**
 * Makes buckets in memory. `clock` gives milliseconds and is monotonic: by one that is set forward
 * and back, everybody would be refused until the time is that late again. A bucket that is full
 * again is forgotten; of more than `capacity` names the one that was used longest ago is, so the
 * memory is bounded even if callers make up names.
 */
export function createBuckets(
  { perSecond, burst }: Rate,
  clock: () => number,
  capacity = 100_000,
): Buckets {
  // One number a name: when its bucket will be full again (the "theoretical arrival time" of GCRA),
  // in ms.
  const fullAt = new Map<string, number>();
  const costMs = 1000 / perSecond;

  function waitMs(name: string, count: number): number {
    if (count > burst) return Number.POSITIVE_INFINITY;
    const now = clock();
    const full = Math.max(fullAt.get(name) ?? now, now);
    return Math.ceil(Math.max(0, full + (count - burst) * costMs - now));
  }

  function charge(name: string, count: number): void {
    const now = clock();
    const full = Math.max(fullAt.get(name) ?? now, now);
    fullAt.delete(name);
    fullAt.set(name, full + count * costMs);
    // In the order of their last use, so those in front are the likeliest to be full again.
    for (const [oldest, at] of fullAt) {
      if (at > now && fullAt.size <= capacity) break;
      fullAt.delete(oldest);
    }
  }

  return {
    waitMs,
    charge,
    take(name, count = 1) {
      const wait = waitMs(name, count);
      if (wait === 0) charge(name, count);
      return wait;
    },
    giveBack(name) {
      const full = fullAt.get(name);
      if (full !== undefined) fullAt.set(name, full - costMs);
    },
    used: (name) => Math.max(0, (fullAt.get(name) ?? 0) - clock()) / (burst * costMs),
    size: () => fullAt.size,
    capacity,
  };
}
