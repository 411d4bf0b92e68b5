import { sourceNetworkOf, sourceUnitOf } from "@sallyport/proto/address";
import { createCounts } from "./counts.ts";

/** Something that addresses hold, each up to its share. */
export type Shares = {
  /**
   * Takes one for an address and returns a function that gives it back; undefined where none is
   * left.
   */
  take(source: string): (() => void) | undefined;
  /** Returns the number in use. */
  taken(): number;
};

const addressShares = 16;
// A fleet may have one /48 for itself; half of all is left to others.
const networkShare = 8;

/**
 * Makes shares: so many of one address (IPv4 address, IPv6 /64), eight times as many of an IPv6
 * /48, which anybody can rent and which has 65,536 of them, and sixteen times as many of all
 * together.
 */
export function createShares(perAddress: number): Shares {
  const held = createCounts();
  let taken = 0;
  const isFree = (unit: string): boolean =>
    held.of(unit) < perAddress &&
    held.of(sourceNetworkOf(unit)) < perAddress * networkShare &&
    taken < perAddress * addressShares;
  return {
    taken: () => taken,
    take(source) {
      const unit = sourceUnitOf(source);
      if (!isFree(unit)) return undefined;
      const count = (by: number): void => {
        taken += by;
        for (const key of [unit, sourceNetworkOf(unit)]) held.add(key, by);
      };
      count(1);
      return () => count(-1);
    },
  };
}
