import { expect, test } from "vitest";
import { createClock, maxCorrectionMs } from "./clock.ts";

const system = Date.parse("2027-01-01T00:00:00Z");
const at = (offsetMs: number): string => new Date(system + offsetMs).toISOString();

test("a clock is set once, by a server's time", () => {
  const clock = createClock(() => system);
  expect(clock.now()).toBe(system);
  expect(clock.correct(at(-90_000))).toBe(-90_000);
  expect(clock.now()).toBe(system - 90_000);
  expect(clock.correct(at(60_000))).toBeUndefined();
  expect(clock.now()).toBe(system - 90_000);
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
