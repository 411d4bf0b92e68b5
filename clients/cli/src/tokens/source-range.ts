import { isIPv4, isIPv6 } from "node:net";
import { UsageError } from "../app/failure.ts";

/**
 * Reads an address range, such as 10.1.0.0/16 or 2001:db8::/32; an address alone is the range of
 * that one. Throws UsageError, which names the range that was probably meant when bits behind the
 * prefix are set.
 */
export function readRange(typed: string, flag: string): string {
  const [address = "", length, ...more] = typed.split("/");
  const bits = isIPv4(address) ? 32 : 128;
  const prefix =
    length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  const known = isIPv4(address) || (isIPv6(address) && !address.includes("%"));
  if (!known || more.length > 0 || !(prefix <= bits))
    throw new UsageError(
      `${flag} takes address ranges such as 10.1.0.0/16 or 2001:db8::/32, not "${typed}"`,
    );
  const value = valueOf(address);
  const host = BigInt(bits - prefix);
  const network = (value >> host) << host;
  if (network !== value)
    throw new UsageError(
      `${flag} takes whole ranges: "${typed}" has bits set behind its prefix of ${prefix}`,
      `probably ${textOf(network, bits)}/${prefix} was meant`,
    );
  return `${address}/${prefix}`;
}

function valueOf(address: string): bigint {
  if (isIPv4(address))
    return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  // The URL parser writes every IPv6 address in one form, with an IPv4 end as two groups.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  const zeros = Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | group, 0n);
}

function groupsOf(text: string): bigint[] {
  return text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`));
}

function textOf(value: bigint, bits: 32 | 128): string {
  const size = bits === 32 ? 8n : 16n;
  const groups = Array.from({ length: bits / Number(size) }, (_, index) => {
    const shift = BigInt(bits) - size * BigInt(index + 1);
    return (value >> shift) & ((1n << size) - 1n);
  });
  if (bits === 32) return groups.join(".");
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(
    1,
    -1,
  );
}
