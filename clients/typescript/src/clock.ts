/** What signatures are dated by: the system's clock, corrected at most once by what a server says. */
export type Clock = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether it was set by a server's time. */
  readonly isCorrected: () => boolean;
  /**
   * Sets the clock by a server's time (RFC 3339) and returns the correction in milliseconds. Undefined, and nothing
   * changes, when it was set before, is right within a second, or is off by more than `maxCorrectionMs`.
   */
  readonly correct: (serverTime: string) => number | undefined;
};

/**
 * The largest correction, 15 minutes.
 *
 * Security: whoever says the time decides until when the signatures made by it are good. A hostile gateway that keeps a
 * request back gains these minutes and no more.
 */
export const maxCorrectionMs = 15 * 60_000;

const rightWithinMs = 1000;

/** Makes a clock over the system's. */
export function createClock(system: () => number = Date.now): Clock {
  let offsetMs: number | undefined;
  return {
    now: () => system() + (offsetMs ?? 0),
    isCorrected: () => offsetMs !== undefined,
    correct(serverTime) {
      const difference = Date.parse(serverTime) - system();
      const sensible = Math.abs(difference) > rightWithinMs && Math.abs(difference) <= maxCorrectionMs;
      if (offsetMs !== undefined || !sensible) return undefined;
      offsetMs = difference;
      return difference;
    },
  };
}
