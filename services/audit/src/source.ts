import { isIP, isIPv4 } from "node:net";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

const mappedBits = 96;

/** Says whether a text is an IP address without a zone. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/**
 * Returns an address as it is compared with filters: IPv6 in its shortest form, an IPv4-mapped one
 * as the IPv4 address that it holds. Postgres reads every result as inet. Throws for what isAddress
 * does not take.
 */
export function comparable(address: string): string {
  if (isIPv4(address)) return address;
  const shortest = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(shortest) ?? [];
  if (high === undefined || low === undefined) return shortest;
  const [one, two] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [one >> 8, one & 255, two >> 8, two & 255].join(".");
}

/**
 * Reads a filter "address" or "address/bits" that keeps its contract, into a text that Postgres
 * reads as inet. An IPv4-mapped network is the IPv4 one: its prefix has 96 bits and more, for none
 * is set after it. Throws Failure FIELD_INVALID for an IPv6 address of nine groups, such as
 * "1:2:3:4:5:6::7:192.0.2.0", which the contract takes.
 */
export function networkOf(filter: string): string {
  const [address = "", bits] = filter.split("/");
  if (!isAddress(address))
    throw fail(Reason.FIELD_INVALID, {
      field: "source_cidr",
      description: "is not an address or a network",
    });
  const plain = comparable(address);
  if (bits === undefined) return plain;
  const mapped = isIPv4(plain) && !isIPv4(address);
  return `${plain}/${mapped ? Number(bits) - mappedBits : bits}`;
}
