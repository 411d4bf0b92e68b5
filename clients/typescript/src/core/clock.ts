/** The clock for the time in signatures: the system's, corrected by a server's time. */
export type Clock = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Number of corrections by a server's time. */
  readonly corrections: () => number;
  /**
   * Sets the clock by a server's time (RFC 3339) and returns its offset from the system's, in
   * milliseconds. Returns undefined and changes nothing when it is right within a second, or when
   * the server differs from the system's clock by more than `maxCorrectionMs`. It can be set again:
   * when a server corrects its own clock, this one follows.
   */
  readonly correct: (serverTime: string) => number | undefined;
};

/**
 * Largest offset of the clock from the system's, 15 minutes.
 *
 * Security: the source of the time decides how long signatures made with it are valid. A hostile
 * gateway that delays a request gains at most these minutes, however often it sends another time.
 */
export const maxCorrectionMs = 15 * 60_000;

const rightWithinMs = 1000;

/** Makes a clock on top of the system's. */
export function createClock(system: () => number = Date.now): Clock {
  let offsetMs = 0;
  let corrections = 0;
  return {
    now: () => system() + offsetMs,
    corrections: () => corrections,
    correct(serverTime) {
      const difference = Date.parse(serverTime) - system();
      const wrong = Math.abs(difference - offsetMs) > rightWithinMs;
      if (!wrong || !(Math.abs(difference) <= maxCorrectionMs)) return undefined;
      offsetMs = difference;
      corrections += 1;
      return difference;
    },
  };
}
