import { describe, expect, test } from "vitest";
import { writeProxyHeader } from "../testing/proxy-header.ts";
import { ProxyHeaderError, mostHeaderBytes, parseProxyHeader } from "./proxy-header.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const signature = "0d0a0d0a000d0a515549540a";
const clientHello = hex("16030100");

describe("a PROXY header of version 2", () => {
  test.each([
    ["TCP over IPv4", "21 11 000c c0000201 c6336401 d431 01bb", "192.0.2.1"],
    [
      "TCP over IPv6",
      "21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 d431 01bb",
      "2001:db8::1",
    ],
    [
      "an IPv4 address in IPv6",
      "21 21 0024 00000000000000000000ffffc0000201 00000000000000000000ffffc6336401 d431 01bb",
      "::ffff:192.0.2.1",
    ],
    [
      "TLVs behind the addresses",
      "21 11 0013 c0000201 c6336401 d431 01bb 04 0004 00000000",
      "192.0.2.1",
    ],
    ["LOCAL", "20 00 0000", undefined],
    [
      "LOCAL with addresses, which are discarded",
      "20 11 000c c0000201 c6336401 d431 01bb",
      undefined,
    ],
    ["LOCAL with a block of any kind", "20 ff 0003 010203", undefined],
  ])("with %s is read, and what follows it is not", (_, rest, source) => {
    const header = hex(signature + rest);
    expect(parseProxyHeader(header)).toEqual({ length: header.length, source });
    expect(parseProxyHeader(Buffer.concat([header, clientHello]))).toEqual({
      length: header.length,
      source,
    });
  });

  test("is awaited to its last byte", () => {
    const header = writeProxyHeader("192.0.2.1", { tlvBytes: 20 });
    for (let length = 0; length < header.length; length += 1)
      expect(parseProxyHeader(header.subarray(0, length))).toBeUndefined();
    expect(parseProxyHeader(header)).toEqual({ length: header.length, source: "192.0.2.1" });
  });

  test("may be so long and no longer, and is refused before the rest has come", () => {
    const longest = writeProxyHeader("192.0.2.1", { tlvBytes: mostHeaderBytes - 16 - 12 });
    expect(parseProxyHeader(longest)?.length).toBe(mostHeaderBytes);
    const longer = writeProxyHeader("192.0.2.1", { tlvBytes: mostHeaderBytes - 16 - 12 + 1 });
    expect(() => parseProxyHeader(longer.subarray(0, 16))).toThrow("it is longer than 4096 bytes");
  });
});

test.each([
  ["TLS", "16030100", "it is not there"],
  ["another first byte", "0e", "it is not there"],
  ["a byte of the signature changed", "0d0a0d0a000d0a515549540b", "it is not there"],
  ["version 1, in text", Buffer.from("PROXY TCP4 192.0.2.1").toString("hex"), "it is not there"],
  ["HTTP", Buffer.from("GET / HTTP/1.1").toString("hex"), "it is not there"],
  ["version 1 in its binary place", `${signature}11 11 000c`, "its version or command is unknown"],
  ["version 3", `${signature}31 11 000c`, "its version or command is unknown"],
  ["an unknown command", `${signature}22 11 000c`, "its version or command is unknown"],
  ["no family (UNSPEC)", `${signature}21 00 0000`, "it names no client over TCP"],
  [
    "UDP over IPv4",
    `${signature}21 12 000c c0000201 c6336401 d431 01bb`,
    "it names no client over TCP",
  ],
  ["UDP over IPv6", `${signature}21 22 0000`, "it names no client over TCP"],
  ["a Unix socket", `${signature}21 31 0000`, "it names no client over TCP"],
  ["an unknown family", `${signature}21 41 0000`, "it names no client over TCP"],
  [
    "IPv4 addresses cut short",
    `${signature}21 11 000b c0000201 c6336401 d43101`,
    "its addresses are cut short",
  ],
  [
    "IPv6 with a block for IPv4",
    `${signature}21 21 000c c0000201 c6336401 d431 01bb`,
    "its addresses are cut",
  ],
])("%s is refused", (_, bytes, why) => {
  expect(() => parseProxyHeader(hex(bytes))).toThrow(ProxyHeaderError);
  expect(() => parseProxyHeader(hex(bytes))).toThrow(why);
});
