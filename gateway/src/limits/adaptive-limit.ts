/** How many requests may be worked at, at most and at least. */
export type Bounds = { readonly most: number; readonly fewest: number };

/** A bound that goes down while answers are slow, and up again when they are not. */
export type AdaptiveBound = {
  /** The bound now, while so many requests are worked at. */
  readonly current: (underWay: number) => number;
  /** Takes note of an answer that took so many milliseconds. */
  readonly answered: (durationMs: number) => void;
};

const windowMs = 200;
const slowMs = 100;
const shrunk = 0.75;
const step = 8;

/**
 * Makes a bound that begins at the most. A gateway cannot know how much the processes and databases
 * behind it bear, or what other replicas ask of them; that answers take long is how it hears that
 * they wait for each other. Of each 200 ms, a mean over 100 ms takes a quarter off the bound,
 * anything less adds 8. While everything hangs, nothing is learned.
 */
export function createAdaptiveBound({ most, fewest }: Bounds, clock: () => number): AdaptiveBound {
  let bound = most;
  let begunMs = clock();
  let totalMs = 0;
  let count = 0;
  function changed(windows: number, underWay: number): number {
    if (count === 0) return underWay > 0 ? bound : bound + windows * step;
    return totalMs / count > slowMs ? bound * shrunk : bound + windows * step;
  }
  return {
    current(underWay) {
      const windows = Math.floor((clock() - begunMs) / windowMs);
      if (windows > 0) {
        bound = Math.min(most, Math.max(fewest, changed(windows, underWay)));
        begunMs += windows * windowMs;
        totalMs = 0;
        count = 0;
      }
      return Math.floor(bound);
    },
    answered(durationMs) {
      totalMs += durationMs;
      count += 1;
    },
  };
}
