import { expect, test } from "vitest";
import { peerNamed } from "./spiffe.ts";

test.each<[name: string, subjectAltName: string | undefined, want: string | undefined]>([
  ["one URI of ours", "URI:spiffe://d/gateway", "gateway"],
  ["a DNS name beside it", "DNS:localhost, URI:spiffe://d/crypto, IP Address:127.0.0.1", "crypto"],
  ["no extension", undefined, undefined],
  ["no URI", "DNS:gateway", undefined],
  ["two URIs", "URI:spiffe://d/gateway, URI:spiffe://d/crypto", undefined],
  ["the same URI twice", "URI:spiffe://d/gateway, URI:spiffe://d/gateway", undefined],
  ["another trust domain", "URI:spiffe://e/gateway", undefined],
  ["a longer trust domain", "URI:spiffe://d.e/gateway", undefined],
  ["an unknown peer", "URI:spiffe://d/stranger", undefined],
  ["a longer path", "URI:spiffe://d/gateway/x", undefined],
  ["another case", "URI:spiffe://d/Gateway", undefined],
  ["another scheme", "URI:https://d/gateway", undefined],
  ["a DNS name that poses as a URI", 'DNS:"x, URI:spiffe://d/gateway, y"', undefined],
])("%s", (_, subjectAltName, want) => {
  expect(peerNamed(subjectAltName, "d")).toBe(want);
});
