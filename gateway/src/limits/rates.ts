import type { Rate } from "@sallyport/rate-limit";

/** A principal's buckets, by the class of the method (`methods.ts`); "none" pays from no bucket. */
export type RateClass = "read" | "manage" | "none";

/** Every limit of the gateway. */
export type Rates = {
  /** What one source address may send, whoever signs. */
  readonly address: Rate;
  /**
   * What one source address may send with keys that are not enrolled; each costs its owner a
   * look-up.
   */
  readonly newKey: Rate;
  /** How many keyids that identity does not know one source address may have looked up. */
  readonly lookUp: Rate;
  /** What one principal may do, by the class of the method. */
  readonly principal: Readonly<Record<Exclude<RateClass, "none">, Rate>>;
};

/** The limits unless a test sets others. */
export const defaultRates: Rates = {
  address: { perSecond: 2000, burst: 4000 },
  newKey: { perSecond: 30, burst: 300 },
  lookUp: { perSecond: 30, burst: 300 },
  principal: { read: { perSecond: 500, burst: 1000 }, manage: { perSecond: 100, burst: 200 } },
};
