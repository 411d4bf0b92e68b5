import { parseRange, rangesHave } from "@sallyport/proto/address";

/**
 * Tells whether a range that keeps its contract begins with an address: the contract takes IPv6
 * addresses of nine groups, such as "1:2:3:4:5:6::7:192.0.2.0".
 */
export function isRange(range: string): boolean {
  return parseRange(range) !== undefined;
}

/**
 * Tells whether an address lies in one of the ranges (CIDR notation, host bits zero); without
 * ranges every address does.
 */
export function isInside(sourceIp: string, ranges: readonly string[]): boolean {
  return ranges.length === 0 || rangesHave(ranges)(sourceIp);
}
