import { sourceUnitOf } from "@sallyport/proto/address";
import { beforeEach, expect, test } from "vitest";
import { type SourceBuckets, createSourceBuckets } from "./source-buckets.ts";

let nowMs: number;
let buckets: SourceBuckets;
beforeEach(() => {
  nowMs = 0;
  buckets = createSourceBuckets({ perSecond: 1, burst: 10 }, () => nowMs);
});

const take = (address: string, times: number): number => {
  const unit = sourceUnitOf(address);
  let taken = 0;
  for (let n = 0; n < times; n += 1) if (buckets.take(unit) === 0) taken += 1;
  return taken;
};
const ofNetwork = (n: number): string => `2001:db8:1:${n.toString(16)}::1`;

test("an address has its own, whatever others of its family do", () => {
  expect(take("192.0.2.1", 20)).toBe(10);
  expect(take("192.0.2.2", 20)).toBe(10);
  expect(take("2001:db8:1:1::1", 20)).toBe(10);
  expect(take("2001:db8:1:1::2", 20)).toBe(0);
  expect(take("2001:db8:1:2::1", 20)).toBe(10);
});

test("a /48 has eight times as much as one of its 65,536 addresses, and another /48 has its own", () => {
  let taken = 0;
  for (let n = 0; n < 100; n += 1) taken += take(ofNetwork(n), 10);
  expect(taken).toBe(80);
  expect(buckets.take(sourceUnitOf(ofNetwork(200)))).toBe(125); // an eighth of a second
  expect(take("2001:db8:2::1", 20)).toBe(10);
  nowMs += 1_000;
  expect(take(ofNetwork(201), 20)).toBe(8);
});

test("what the network refuses costs the address nothing, and what is given back is so for both", () => {
  for (let n = 0; n < 8; n += 1) take(ofNetwork(n), 10);
  expect(take(ofNetwork(9), 5)).toBe(0);
  buckets.giveBack(sourceUnitOf(ofNetwork(1)));
  expect(take(ofNetwork(1), 2)).toBe(1);
  nowMs += 10_000; // the network is full again, and the address that was refused always was
  expect(take(ofNetwork(9), 20)).toBe(10);
});
