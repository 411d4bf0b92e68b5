import { expect, test } from "vitest";
import { relativeTime } from "./time.ts";

const now = Date.parse("2027-01-01T00:00:00Z");
const at = (seconds: number): string => new Date(now + seconds * 1000).toISOString();

test.each([
  [at(0), "now"],
  [at(40), "in 40 s"],
  [at(-40), "40 s ago"],
  [at(3540), "in 59 min"],
  [at(3598), "in 1 h"],
  [at(-59.6), "1 min ago"],
  [at(86_395), "in 1 d"],
  [at(-7300), "2 h ago"],
  [at(90 * 86_400 - 5), "in 90 d"],
  ["", "never"],
  [null, "never"],
  ["soon", "soon"],
])("%j is %j", (time, shown) => {
  expect(relativeTime(time, now)).toBe(shown);
});
