import { sourceNetworkOf } from "@sallyport/proto/address";
import { type Buckets, type Rate, createBuckets } from "@sallyport/rate-limit";

/** Token buckets of source addresses, which are named as `sourceUnitOf` gives them. */
export type SourceBuckets = Pick<Buckets, "take" | "giveBack" | "size" | "capacity">;

// As in address-shares.ts: a fleet may have one /48 for itself.
const networkShare = 8;

/**
 * Creates token buckets of source addresses: the rate for each IPv4 address and IPv6 /64, and eight
 * times the rate for an IPv6 /48, which anyone can rent and which has 65,536 of them. `clock` gives
 * milliseconds and is monotonic.
 */
export function createSourceBuckets(rate: Rate, clock: () => number): SourceBuckets {
  const units = createBuckets(rate, clock);
  const { perSecond, burst } = rate;
  const networks = createBuckets(
    { perSecond: perSecond * networkShare, burst: burst * networkShare },
    clock,
  );
  return {
    take(unit, count = 1) {
      const network = sourceNetworkOf(unit);
      // Both buckets or none: a request that one refuses costs nothing of the other.
      const waitMs = Math.max(units.waitMs(unit, count), networks.waitMs(network, count));
      if (waitMs > 0) return waitMs;
      units.charge(unit, count);
      networks.charge(network, count);
      return 0;
    },
    giveBack(unit) {
      units.giveBack(unit);
      networks.giveBack(sourceNetworkOf(unit));
    },
    size: () => units.size(),
    capacity: units.capacity,
  };
}
