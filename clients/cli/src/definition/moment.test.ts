import { expect, test } from "vitest";
import { parseMoment } from "./options.ts";

test.each([
  "2026-02-30",
  "2026-11-31",
  "2026-02-29",
  "2026-13-01",
  "2026-04-31T10:00:00Z",
  "2026-00-10",
])("%s is no time", (typed) => expect(() => parseMoment(typed)).toThrow(/is not a time/));

test.each([
  ["2028-02-29", "2028-02-29T00:00:00.000Z"],
  ["2026-11-30T23:59:59Z", "2026-11-30T23:59:59.000Z"],
  ["2026-03-14T00:30+01:00", "2026-03-13T23:30:00.000Z"],
])("%s is one", (typed, want) => expect(new Date(parseMoment(typed)).toISOString()).toBe(want));
