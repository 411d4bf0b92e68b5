import { SocketAddress } from "node:net";

/**
 * The content of a PROXY header: its length in bytes, and the client whose connection a load
 * balancer passes on.
 */
export type ProxyHeader = {
  readonly length: number;
  /**
   * The client's address; undefined where the balancer speaks for itself, as to see whether we are
   * there.
   */
  readonly source: string | undefined;
};

/** Bytes that are no PROXY header of version 2, or none that can be used. */
export class ProxyHeaderError extends Error {
  override readonly name = "ProxyHeaderError";
}

/**
 * The longest header that is read. Ours hold an address and a few hundred bytes that a balancer
 * adds, if any.
 */
export const mostHeaderBytes = 4096;

// Sections are of https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt.
const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"); // §2.2
const fixedBytes = 16;
// §2.2: version 2 in the upper four bits, the command in the lower.
const [local, proxy] = [0x20, 0x21];
const addressBytes: ReadonlyMap<number, { readonly source: number; readonly all: number }> =
  new Map([
    [0x11, { source: 4, all: 12 }], // §2.2: TCP over IPv4: two addresses and two ports
    [0x21, { source: 16, all: 36 }], // and over IPv6
  ]);

/**
 * Reads the PROXY header at the beginning of a connection; undefined while it is incomplete. Throws
 * ProxyHeaderError as soon as the bytes cannot be one (§2: not to be guessed), and for families
 * that name no client over TCP, which may be refused (§2.2). The bytes after the addresses are
 * skipped (§2.2: unknown TLVs are ignored).
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader | undefined {
  const begun = bytes.subarray(0, signature.length);
  if (Buffer.compare(begun, signature.subarray(0, begun.length)) !== 0) refuse("it is not there");
  if (bytes.length < fixedBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const command = view.getUint8(12);
  if (command !== local && command !== proxy) refuse("its version or command is unknown");
  const length = fixedBytes + view.getUint16(14);
  if (length > mostHeaderBytes) refuse(`it is longer than ${mostHeaderBytes} bytes`);
  if (bytes.length < length) return undefined;
  // §2.2: of a LOCAL connection the family and all that follows are to be discarded.
  if (command === local) return { length, source: undefined };
  return { length, source: sourceOf(view.getUint8(13), bytes.subarray(fixedBytes, length)) };
}

function sourceOf(family: number, block: Uint8Array): string {
  const sizes = addressBytes.get(family) ?? refuse("it names no client over TCP");
  if (block.length < sizes.all) refuse("its addresses are cut short");
  const source = block.subarray(0, sizes.source);
  if (sizes.source === 4) return source.join(".");
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((source[at * 2] ?? 0) * 256 + (source[at * 2 + 1] ?? 0)).toString(16),
  );
  return new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address;
}

function refuse(why: string): never {
  throw new ProxyHeaderError(why);
}
