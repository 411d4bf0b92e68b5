import { beforeEach, expect, test } from "vitest";
import { type Backoff, createBackoff } from "./backoff.ts";

let nowMs: number;
let backoff: Backoff;
beforeEach(() => {
  nowMs = 1_000_000;
  backoff = createBackoff(() => nowMs);
});

/** Tries as soon as it may; returns how long that took, in milliseconds. */
function waited(): number {
  const sinceMs = nowMs;
  while (!backoff.ready()) nowMs += 1;
  backoff.attempted();
  return nowMs - sinceMs;
}

test("waits twice as long each time, and a second at most", () => {
  expect(Array.from({ length: 9 }, waited)).toEqual([0, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
});

test("begins anew after ten seconds of calm", () => {
  for (let attempt = 0; attempt < 9; attempt += 1) waited();
  nowMs += 10_001;
  expect([waited(), waited(), waited()]).toEqual([0, 20, 40]);
});
