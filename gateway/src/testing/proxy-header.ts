import { isIPv4 } from "node:net";

/** A test's changes to a header. */
type Changes = {
  /** 0x21 is PROXY, 0x20 LOCAL. */
  readonly command?: number;
  /** Number of bytes of extensions after the addresses. */
  readonly tlvBytes?: number;
};

/**
 * Writes a PROXY header of version 2, as a load balancer does, for the connection of a client over
 * TCP.
 */
export function writeProxyHeader(
  source: string,
  { command = 0x21, tlvBytes = 0 }: Changes = {},
): Buffer {
  const address = isIPv4(source) ? Buffer.from(source.split(".").map(Number)) : bytesOf(source);
  const ports = Buffer.from([0xd4, 0x31, 0x01, 0xbb]);
  const tlvs = Buffer.alloc(tlvBytes, 0x04);
  const block = Buffer.concat([address, address, ports, tlvs]);
  const head = Buffer.from("\r\n\r\n\0\r\nQUIT\n????", "latin1");
  head.writeUInt8(command, 12);
  head.writeUInt8(isIPv4(source) ? 0x11 : 0x21, 13);
  head.writeUInt16BE(block.length, 14);
  return Buffer.concat([head, block]);
}

function bytesOf(address: string): Buffer {
  const { hostname } = new URL(`http://[${address}]`); // Its last groups may have been written as an IPv4 address.
  const [head = "", tail = ""] = hostname.slice(1, -1).split("::");
  const [before, after] = [head, tail].map((part) => part.split(":").filter(Boolean)) as [
    string[],
    string[],
  ];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  const groups = [...before, ...zeros, ...after].map((group) => group.padStart(4, "0"));
  return Buffer.from(groups.join(""), "hex");
}
