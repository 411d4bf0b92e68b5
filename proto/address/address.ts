/**
 * IP addresses and ranges of them, read in one way by processes and clients.
 *
 * It exists so that an address means the same to a rate limit, a restriction, a filter and a proxy
 * list. An IPv4-mapped IPv6 address is the IPv4 address everywhere; what is no address is in no
 * range. It must never guess: texts that other parsers take, such as "010.0.0.1", are refused.
 */
import { isIP, isIPv4 } from "node:net";

/** An address range: the bytes of an address, 4 or 16, and how many leading bits count. */
export type AddressRange = { readonly bytes: Uint8Array; readonly bits: number };

const mappedBits = 96;

/** Returns whether a text is an IP address without a zone. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/**
 * Returns an address in its one form: IPv6 in its shortest, an IPv4-mapped one as the IPv4 address
 * that it holds, without the zone of a link. Throws for what is no address.
 */
export function plainAddress(address: string): string {
  const bytes = addressBytes(address);
  if (!bytes) throw new Error("it is no address");
  return addressText(bytes);
}

/**
 * Reads "address" or "address/bits" as it is written; an address alone is the range of that one.
 * Undefined for every other text, and for addresses with a zone.
 */
export function parseRange(text: string): AddressRange | undefined {
  const [address = "", length, ...more] = text.split("/");
  if (!isAddress(address) || more.length > 0) return undefined;
  const bytes = bytesAsWritten(address);
  const most = bytes.length * 8;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const bits = length === undefined ? most : Number(length);
  return bits <= most ? { bytes, bits } : undefined;
}

/** Returns an IPv4-mapped range as the IPv4 range that it is, and every other as it is. */
export function plainRange({ bytes, bits }: AddressRange): AddressRange {
  const mapped = bits >= mappedBits && isMapped(bytes);
  return mapped ? { bytes: bytes.subarray(12), bits: bits - mappedBits } : { bytes, bits };
}

/** Returns the first address of a range: the bits behind its prefix are zero. */
export function firstOf({ bytes, bits }: AddressRange): Uint8Array {
  return bytes.map((byte, at) => byte & maskOf(bits - at * 8));
}

/** Writes an address or, with bits, a range. */
export function addressText(bytes: Uint8Array, bits?: number): string {
  const length = bits === undefined ? "" : `/${bits}`;
  if (bytes.length === 4) return `${bytes.join(".")}${length}`;
  const groups = groupsOf(bytes).join(":");
  return `${new URL(`http://[${groups}]/`).hostname.slice(1, -1)}${length}`;
}

/**
 * Makes the test of whether an address lies in one of the ranges. IPv6 ranges that hold more than
 * mapped addresses hold no IPv4 address. Security: what is no address is in no range, and what is
 * no range holds none.
 */
export function rangesHave(ranges: readonly string[]): (address: string) => boolean {
  const read = ranges.flatMap((range) => parseRange(range) ?? []).map(plainRange);
  return (address) => {
    const bytes = addressBytes(address);
    return bytes !== undefined && read.some((range) => holds(range, bytes));
  };
}

/**
 * Returns the unit by which addresses are limited and counted: an IPv4 address, or an IPv6 /64,
 * which is what one host is given.
 */
export function sourceUnitOf(address: string): string {
  const bytes = addressBytes(address);
  if (!bytes) return address;
  return bytes.length === 4 ? bytes.join(".") : `${groupsOf(bytes.subarray(0, 8)).join(":")}::/64`;
}

/**
 * Returns the network that one customer is given, of a unit as above: a /48 of IPv6; an IPv4
 * address stands alone.
 */
export function sourceNetworkOf(unit: string): string {
  return unit.includes(":") ? `net ${unit.split(":").slice(0, 3).join(":")}::/48` : `net ${unit}`;
}

function addressBytes(address: string): Uint8Array | undefined {
  const bare = address.replace(/%.*$/, "");
  if (isIP(bare) === 0) return undefined;
  const bytes = bytesAsWritten(bare);
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

function bytesAsWritten(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  // The URL parser writes every IPv6 address in one form, with an IPv4 end as two groups.
  const [head = "", tail = ""] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split("::");
  const [before, after] = [head, tail].map((part) => part.split(":").filter(Boolean));
  const zeros = Array<string>(8 - (before?.length ?? 0) - (after?.length ?? 0)).fill("0");
  const groups = [...(before ?? []), ...zeros, ...(after ?? [])];
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    }),
  );
}

function groupsOf(bytes: Uint8Array): string[] {
  return Array.from({ length: bytes.length / 2 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16),
  );
}

function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 &&
    bytes.subarray(0, 10).every((byte) => byte === 0) &&
    bytes[10] === 255 &&
    bytes[11] === 255
  );
}

function holds({ bytes, bits }: AddressRange, address: Uint8Array): boolean {
  if (bytes.length !== address.length) return false;
  return bytes.every((byte, at) => ((byte ^ (address[at] ?? 0)) & maskOf(bits - at * 8)) === 0);
}

// The mask of one byte, of which so many leading bits count: none below 1, all from 8 on.
function maskOf(bits: number): number {
  return 255 & ~(255 >> Math.min(Math.max(bits, 0), 8));
}
