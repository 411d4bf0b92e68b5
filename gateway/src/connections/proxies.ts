import { BlockList, isIP, isIPv4 } from "node:net";
import type { Setting } from "@sallyport/config";

/**
 * A comma-separated list of addresses and networks in CIDR notation; those of a whole family are
 * refused.
 */
export function addressRanges(variable: string): Setting<readonly string[]> {
  return {
    variable,
    read(value) {
      const ranges = value.split(",").map((range) => range.trim());
      const wrong = ranges.find((range) => !isRange(range));
      if (wrong !== undefined)
        throw new Error(`has "${wrong}", which is no address or network in CIDR notation`);
      return ranges;
    },
    absent: { value: [] },
  };
}

// Security: /0 would let anybody say where a connection comes from.
function isRange(range: string): boolean {
  const [network = "", bits, ...more] = range.split("/");
  const most = isIPv4(network) ? 32 : 128;
  if (isIP(network) === 0 || more.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= most)
  );
}

/** Tells whether an address is in one of the ranges. */
export function rangesHave(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", bits] = range.split("/");
    const family = isIPv4(network) ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(network, family);
    else list.addSubnet(network, Number(bits), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}
