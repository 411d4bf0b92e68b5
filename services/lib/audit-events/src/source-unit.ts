/**
 * The unit by which addresses are limited and counted: an IPv4 address, or an IPv6 /64, which is
 * what one host is given.
 */
export function sourceUnitOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail = ""] = address.split("::", 2);
  const groups = head.split(":").filter((group) => group !== "");
  const missing = 8 - groups.length - tail.split(":").filter((group) => group !== "").length;
  const expanded = address.includes("::")
    ? [...groups, ...Array<string>(Math.max(missing, 0)).fill("0"), ...tail.split(":")]
    : groups;
  return `${expanded.slice(0, 4).join(":")}::/64`;
}

/**
 * The network that one customer is given, of a unit as above: a /48 of IPv6; an IPv4 address is by
 * itself.
 */
export function networkOf(unit: string): string {
  return unit.includes(":") ? `net ${unit.split(":").slice(0, 3).join(":")}::/48` : `net ${unit}`;
}
