import { BlockList, isIP, isIPv4 } from "node:net";

const mapped = new BlockList();
mapped.addSubnet("::ffff:0:0", 96, "ipv6");

/**
 * Tells whether a range that keeps its contract begins with an address: the contract takes IPv6
 * addresses of nine groups, such as "1:2:3:4:5:6::7:192.0.2.0".
 */
export function isRange(range: string): boolean {
  return isIP(range.split("/", 1)[0] ?? "") !== 0;
}

/**
 * Tells whether an address lies in one of the ranges (CIDR notation, host bits zero); without
 * ranges every address does. An IPv4-mapped IPv6 address is the IPv4 address: IPv6 ranges that hold
 * more than mapped addresses do not hold it. Security: what is no address is in no range, and what
 * is no range holds none.
 */
export function isInside(sourceIp: string, ranges: readonly string[]): boolean {
  if (ranges.length === 0) return true;
  const four = isFour(sourceIp);
  const list = new BlockList();
  for (const range of ranges.filter(isRange)) {
    const [network = "", bits = ""] = range.split("/");
    const family = isIPv4(network) ? "ipv4" : "ipv6";
    const ofFour = family === "ipv4" || (isFour(network) && Number(bits) >= 96);
    if (ofFour === four) list.addSubnet(network, Number(bits), family);
  }
  return list.check(sourceIp, isIPv4(sourceIp) ? "ipv4" : "ipv6");
}

function isFour(address: string): boolean {
  return isIPv4(address) || mapped.check(address, "ipv6");
}
