/** A token bucket: so many requests a second on average, so many at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/** A principal's buckets, by the class of the method (`methods.ts`); "none" pays from no bucket. */
export type RateClass = "read" | "manage" | "none";

/** Every limit of the gateway. */
export type Rates = {
  /** What one source address may send, whoever signs. */
  readonly address: Rate;
  /** What one source address may send with keys that are not enrolled; each costs its owner a look-up. */
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

/** Token buckets by address, for so many addresses at most. */
export type AddressLimiter = {
  /** Takes one token and returns 0, or the milliseconds until there will be one. */
  take(address: string): number;
  /** Puts one back that was taken for nothing. */
  giveBack(address: string): void;
  /** How many addresses are remembered. */
  size(): number;
  readonly capacity: number;
};

/**
 * Makes buckets in memory, for at most `capacity` addresses. `clock` gives milliseconds and runs evenly: by one that is set
 * forward and back, everybody would be refused until the time is that late again.
 */
export function createAddressLimiter(rate: Rate, clock: () => number, capacity = 100_000): AddressLimiter {
  // One number an address: when its bucket will be full again (the "theoretical arrival time" of GCRA), in ms.
  const fullAt = new Map<string, number>();
  const costMs = 1000 / rate.perSecond;
  return {
    capacity,
    size: () => fullAt.size,
    take(address: string): number {
      const now = clock();
      const next = Math.max(fullAt.get(address) ?? 0, now) + costMs;
      const waitMs = next - now - rate.burst * costMs;
      if (waitMs > 0) return Math.ceil(waitMs);
      // Oldest first out: an attacker with many addresses costs memory up to the capacity and no more.
      fullAt.delete(address);
      fullAt.set(address, next);
      const oldest = fullAt.size > capacity ? fullAt.keys().next().value : undefined;
      if (oldest !== undefined) fullAt.delete(oldest);
      return 0;
    },
    giveBack(address: string): void {
      const full = fullAt.get(address);
      if (full !== undefined) fullAt.set(address, full - costMs);
    },
  };
}
