/** Says when something that may fail at once may be tried again. */
export type Backoff = {
  /** Whether enough time has passed since the last attempt. */
  ready(): boolean;
  /** Notes an attempt. */
  attempted(): void;
};

const firstMs = 20;
const longestMs = 1_000;
const calmMs = 10_000;

/**
 * Makes an exponential backoff, from 20 milliseconds up to one second; attempts that follow after
 * ten seconds of calm begin anew. `clock` gives milliseconds and runs evenly.
 */
export function createBackoff(clock: () => number): Backoff {
  let attemptedMs = Number.NEGATIVE_INFINITY;
  let delayMs = 0;
  return {
    ready: () => clock() - attemptedMs >= delayMs,
    attempted() {
      const now = clock();
      const calm = now - attemptedMs > calmMs;
      delayMs = calm ? firstMs : Math.min(delayMs * 2, longestMs);
      attemptedMs = now;
    },
  };
}
