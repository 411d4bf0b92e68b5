import { describe, expect, test } from "vitest";
import { createAddressLimiter, rateClassOf } from "./limits.ts";
import { newKeyPaths, pathOf, publicServices } from "./routes.ts";

describe("the classes of methods", () => {
  test("cover every public method", () => {
    for (const { methods } of publicServices)
      for (const method of methods) expect(["read", "manage", "none"]).toContain(rateClassOf(pathOf(method)));
  });

  test("leave without a principal's limit only what has no principal", () => {
    const paths = publicServices.flatMap(({ methods }) => methods.map(pathOf));
    expect(paths.filter((path) => rateClassOf(path) === "none").toSorted()).toEqual(
      [...newKeyPaths].filter((path) => !path.endsWith("/GetKeyset")).toSorted(),
    );
  });

  test("do not invent a limit for an unknown path", () => {
    expect(() => rateClassOf("/x.Y/Z")).toThrow("no limit is set for /x.Y/Z");
  });
});

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

  test("is kept for so many addresses; the one unheard of for longest goes first", () => {
    const limiter = createAddressLimiter({ perSecond: 1, burst: 1 }, () => 0, 2);
    for (const address of ["a", "b", "c"]) limiter.take(address);
    expect(limiter.take("c")).toBeGreaterThan(0);
    expect(limiter.take("b")).toBeGreaterThan(0);
    expect(limiter.take("a")).toBe(0);
  });
});
