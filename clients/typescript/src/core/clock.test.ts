import { expect, test } from "vitest";
import { createClock, maxCorrectionMs } from "./clock.ts";

const system = Date.parse("2027-01-01T00:00:00Z");
const at = (offsetMs: number): string => new Date(system + offsetMs).toISOString();

test("a clock is set by a server's time, and follows it back", () => {
  const clock = createClock(() => system);
  expect(clock.now()).toBe(system);
  expect(clock.correct(at(-90_000))).toBe(-90_000);
  expect(clock.now()).toBe(system - 90_000);
  expect(clock.correct(at(-90_500))).toBeUndefined();
  expect(clock.corrections()).toBe(1);
  expect(clock.correct(at(0))).toBe(0);
  expect(clock.now()).toBe(system);
  expect(clock.corrections()).toBe(2);
});

test("a clock that is led step by step stays near the system's", () => {
  const clock = createClock(() => system);
  for (let step = 1; step <= 40; step += 1) clock.correct(at(step * 60_000));
  expect(clock.now()).toBe(system + maxCorrectionMs);
});

test.each([
  ["a time further off than allowed", at(maxCorrectionMs + 1)],
  ["one further off into the past", at(-maxCorrectionMs - 1)],
  ["a time that is right", at(900)],
  ["no time", "soon"],
  ["nothing", ""],
])("%s changes nothing", (_, serverTime) => {
  const clock = createClock(() => system);
  expect(clock.correct(serverTime)).toBeUndefined();
  expect(clock.now()).toBe(system);
});
