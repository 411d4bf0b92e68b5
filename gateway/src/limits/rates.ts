import type { Rate } from "@sallyport/rate-limit";
import { type Limits, defaultLimits } from "./settings.ts";

/** A principal's token bucket, by the class of the method (`method-limits.ts`); "none" has none. */
export type RateClass = "read" | "manage" | "none";

/** The rate limits of a gateway: token buckets, per second and burst. */
export type Rates = {
  /** Requests of one source address, independent of the signer. */
  readonly address: Rate;
  /**
   * Requests of one source address under keys that are not enrolled; each costs its owner a
   * look-up.
   */
  readonly newKey: Rate;
  /** Look-ups of keyids that identity does not know, for one source address. */
  readonly lookUp: Rate;
  /** Requests of one principal, by the class of the method. */
  readonly principal: Readonly<Record<Exclude<RateClass, "none">, Rate>>;
};

// A burst is so many seconds' worth of the rate. Keys come in crowds: a fleet that starts enrolls
// at once.
const [burstSeconds, keyBurstSeconds] = [2, 10];

/** The rate limits that the settings ask for. */
export function ratesOf(limits: Limits): Rates {
  const rate = (perSecond: number, seconds = burstSeconds): Rate => {
    return { perSecond, burst: perSecond * seconds };
  };
  return {
    address: rate(limits.requestsPerAddress),
    newKey: rate(limits.newKeysPerAddress, keyBurstSeconds),
    lookUp: rate(limits.keyLookupsPerAddress, keyBurstSeconds),
    principal: { read: rate(limits.readsPerPrincipal), manage: rate(limits.managesPerPrincipal) },
  };
}

/** The rate limits of a gateway whose operator sets none. */
export const defaultRates: Rates = ratesOf(defaultLimits);
