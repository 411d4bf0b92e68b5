import { describe, expect, test } from "vitest";
import { createAddressLimiter } from "./limits.ts";

describe("an address's bucket", () => {
  const rate = { perSecond: 10, burst: 3 };

  test("lets the burst through, tells the delay, and refills", () => {
    let nowMs = 1_000_000;
    const limiter = createAddressLimiter(rate, () => nowMs);
    expect([1, 2, 3].map(() => limiter.take("a"))).toEqual([0, 0, 0]);
    expect(limiter.take("a")).toBe(100);
    expect(limiter.take("a")).toBe(100);
    expect(limiter.take("b")).toBe(0);
    nowMs += 99;
    expect(limiter.take("a")).toBe(1);
    nowMs += 1;
    expect(limiter.take("a")).toBe(0);
    nowMs += 10_000;
    expect([1, 2, 3, 4].map(() => limiter.take("a"))).toEqual([0, 0, 0, 100]);
  });

  test("takes back what was taken for nothing, and never holds more than it can", () => {
    const limiter = createAddressLimiter(rate, () => 0);
    for (let n = 0; n < 3; n += 1) limiter.take("a");
    limiter.giveBack("a");
    limiter.giveBack("nobody");
    expect(limiter.take("a")).toBe(0);
    expect(limiter.take("a")).toBe(100);
    for (let n = 0; n < 3; n += 1) limiter.giveBack("a");
    expect([1, 2, 3, 4].map(() => limiter.take("a"))).toEqual([0, 0, 0, 100]);
  });

  test("is kept for so many addresses; the one unheard of for longest goes first", () => {
    const limiter = createAddressLimiter({ perSecond: 1, burst: 1 }, () => 0, 2);
    for (const address of ["a", "b", "c"]) limiter.take(address);
    expect(limiter.take("c")).toBeGreaterThan(0);
    expect(limiter.take("b")).toBeGreaterThan(0);
    expect(limiter.take("a")).toBe(0);
  });
});
