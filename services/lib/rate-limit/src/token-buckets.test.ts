import { beforeEach, describe, expect, test } from "vitest";
import { type Buckets, createBuckets } from "./token-buckets.ts";

let nowMs: number;
let buckets: Buckets;

beforeEach(() => {
  nowMs = 1_000_000;
  buckets = createBuckets({ perSecond: 2, burst: 10 }, () => nowMs, 3);
});

describe("a bucket", () => {
  test("gives as many as it holds at once, then tells how long until the next", () => {
    expect(buckets.take("a", 10)).toBe(0);
    expect(buckets.take("a")).toBe(500);
    expect(buckets.take("a", 4)).toBe(2_000);
    nowMs += 500;
    expect(buckets.take("a")).toBe(0);
    expect(buckets.take("a")).toBe(500);
  });

  test("takes all of what is asked for or nothing", () => {
    expect(buckets.take("a", 9)).toBe(0);
    expect(buckets.take("a", 2)).toBe(500);
    expect(buckets.take("a", 1)).toBe(0);
  });

  test("never gives more than it holds", () => {
    expect(buckets.take("a", 11)).toBe(Number.POSITIVE_INFINITY);
    nowMs += 3_600_000;
    expect(buckets.take("a", 10)).toBe(0);
    expect(buckets.take("a")).toBeGreaterThan(0);
  });

  test("holds over any span: burst and rate, no more", () => {
    let given = 0;
    for (let step = 0; step < 10_000; step += 1) {
      if (buckets.take("a") === 0) given += 1;
      nowMs += 10;
    }
    // The last is given a moment after the end.
    expect(given).toBe(10 + 100 * 2 - 1);
  });

  test("that is charged beyond its end gives nothing until that is made good", () => {
    buckets.charge("a", 30);
    expect(buckets.used("a")).toBe(3);
    expect(buckets.take("a")).toBe(10_500);
    nowMs += 10_499;
    expect(buckets.take("a")).toBe(1);
    nowMs += 1;
    expect(buckets.take("a")).toBe(0);
  });

  test("takes back what was taken for nothing, and never holds more than it can", () => {
    buckets.take("a", 10);
    buckets.giveBack("a");
    buckets.giveBack("nobody");
    expect(buckets.take("a")).toBe(0);
    expect(buckets.take("a")).toBe(500);
    for (let n = 0; n < 11; n += 1) buckets.giveBack("a");
    expect(buckets.take("a", 10)).toBe(0);
    expect(buckets.take("a")).toBe(500);
  });

  test("tells how much of it is used, and is its name's alone", () => {
    expect(buckets.used("a")).toBe(0);
    buckets.charge("a", 5);
    expect(buckets.used("a")).toBe(0.5);
    expect(buckets.used("b")).toBe(0);
    expect(buckets.waitMs("a", 5)).toBe(0);
    expect(buckets.waitMs("a", 6)).toBe(500);
    nowMs += 60_000;
    expect(buckets.used("a")).toBe(0);
  });
});

describe("memory", () => {
  test("is bounded: the name that was used longest ago is forgotten", () => {
    for (const name of ["a", "b", "c"]) buckets.charge(name, 10);
    buckets.charge("a", 1);
    buckets.charge("d", 10);
    expect(buckets.size()).toBe(3);
    expect(buckets.take("b")).toBe(0);
    expect(buckets.used("a")).toBeGreaterThan(1);
  });

  test("is given back by buckets that are full again", () => {
    for (const name of ["a", "b", "c"]) buckets.charge(name, 1);
    nowMs += 60_000;
    buckets.charge("d", 1);
    expect(buckets.size()).toBe(1);
  });
});
