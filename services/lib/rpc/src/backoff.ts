import { backoffMs } from "@sallyport/schedule";

/** Says when something that may fail at once may be tried again. */
export type Backoff = {
  /** Returns true once enough time has passed since the last attempt. */
  ready(): boolean;
  /** Notes an attempt. */
  attempted(): void;
};

const pauses = { firstMs: 20, longestMs: 1_000 };
const calmMs = 10_000;

/**
 * Makes an exponential backoff, from 20 milliseconds up to one second; attempts that follow after
 * ten seconds of calm restart it. `clock` gives milliseconds and is monotonic.
 */
export function createBackoff(clock: () => number): Backoff {
  let attemptedMs = Number.NEGATIVE_INFINITY;
  let attempts = 0;
  return {
    ready: () => attempts === 0 || clock() - attemptedMs >= backoffMs(attempts, pauses),
    attempted() {
      const now = clock();
      attempts = now - attemptedMs > calmMs ? 1 : attempts + 1;
      attemptedMs = now;
    },
  };
}
