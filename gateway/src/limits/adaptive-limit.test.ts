import { beforeEach, describe, expect, test } from "vitest";
import { type AdaptiveBound, createAdaptiveBound } from "./adaptive-limit.ts";

let nowMs: number;
let bound: AdaptiveBound;
beforeEach(() => {
  nowMs = 1000;
  bound = createAdaptiveBound({ most: 128, fewest: 32 }, () => nowMs);
});

/** The bound after so many windows, in each of which answers took so long. */
function after(windows: number, durationsMs: readonly number[], underWay = 1): number {
  for (let window = 0; window < windows; window += 1) {
    for (const durationMs of durationsMs) bound.answered(durationMs);
    nowMs += 200;
    bound.current(underWay);
  }
  return bound.current(underWay);
}

test("begins at the most, and stays there while answers are quick", () => {
  expect(bound.current(0)).toBe(128);
  expect(after(10, [100, 1])).toBe(128);
});

describe("slow answers", () => {
  test("take a quarter off, once in 200 ms", () => {
    for (let n = 0; n < 50; n += 1) bound.answered(101);
    nowMs += 199;
    expect(bound.current(1)).toBe(128);
    nowMs += 1;
    expect(bound.current(1)).toBe(96);
    expect(bound.current(1)).toBe(96);
    expect(after(1, [101])).toBe(72);
  });

  test("leave the fewest", () => {
    expect(after(50, [5000])).toBe(32);
  });

  test("among quick ones are weighed by their mean", () => {
    expect(after(5, [400, 1, 1, 1, 1])).toBe(128);
    expect(after(1, [400, 1, 1])).toBe(96);
  });
});

describe("afterwards", () => {
  beforeEach(() => after(50, [5000]));

  test("quick answers give 8 back in each 200 ms, up to the most", () => {
    expect(after(1, [20])).toBe(40);
    expect(after(10, [20])).toBe(120);
    expect(after(5, [20])).toBe(128);
  });

  test("so does time in which nothing is asked", () => {
    nowMs += 400;
    expect(bound.current(0)).toBe(48);
  });

  test("time in which everything hangs gives nothing back", () => {
    nowMs += 5000;
    expect(bound.current(32)).toBe(32);
  });
});
