/** What signatures are dated by: the system's clock, corrected by what a server says. */
export type Clock = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How often it was set by a server's time. */
  readonly corrections: () => number;
  /**
   * Sets the clock by a server's time (RFC 3339) and returns how far it then is from the system's,
   * in milliseconds. Undefined, and nothing changes, when it is right within a second, or when the
   * server is off from the system's clock by more than `maxCorrectionMs`. It can be set again: a
   * server whose own clock was wrong for a while is followed back.
   */
  readonly correct: (serverTime: string) => number | undefined;
};

/**
 * The furthest that the clock is ever from the system's, 15 minutes.
 *
 * Security: the source of the time decides until when signatures are good. A hostile gateway that
 * withholds a request gains these minutes and no more, however often it reports another time.
 */
export const maxCorrectionMs = 15 * 60_000;

const rightWithinMs = 1000;

/** Makes a clock over the system's. */
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
