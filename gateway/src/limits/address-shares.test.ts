import { beforeEach, expect, test } from "vitest";
import { type Shares, createShares } from "./address-shares.ts";

let shares: Shares;
beforeEach(() => {
  shares = createShares(2);
});

const isFree = (source: string): boolean => shares.take(source) !== undefined;
const addresses = (count: number, of: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => of(n + 1));

test("an address has so many, until one is given back", () => {
  const giveBack = shares.take("192.0.2.1");
  expect([isFree("192.0.2.1"), isFree("192.0.2.1"), isFree("192.0.2.2")]).toEqual([
    true,
    false,
    true,
  ]);
  expect(shares.taken()).toBe(3);
  giveBack?.();
  expect(shares.taken()).toBe(2);
  expect([isFree("192.0.2.1"), isFree("192.0.2.1")]).toEqual([true, false]);
});

test("a /64 is one address, and a /48 has eight shares", () => {
  expect(addresses(3, (n) => `2001:db8:1:1::${n}`).map(isFree)).toEqual([true, true, false]);
  const others = addresses(20, (n) => `2001:db8:1:${n + 1}::1`).map(isFree);
  expect(others.filter(Boolean)).toHaveLength(14);
  expect(isFree("2001:db8:2:1::1")).toBe(true);
});

test("all together have sixteen shares", () => {
  expect(
    addresses(40, (n) => `192.0.2.${n}`)
      .map(isFree)
      .filter(Boolean),
  ).toHaveLength(32);
});
