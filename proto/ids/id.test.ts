import { expect, test } from "vitest";
import { isId, newId } from "./id.ts";

test("an id has its prefix, 20 Crockford characters, and is new each time", () => {
  const ids = Array.from({ length: 1000 }, () => newId("sec"));
  expect(new Set(ids).size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^sec_[0-9a-hjkmnp-tv-z]{20}$/);
  // All 32 characters occur, or the random bits are fewer than promised.
  expect(new Set(ids.join("").replaceAll("sec_", "")).size).toBe(32);
});

test.each([
  ["another kind", "mch_00000000000000000000"],
  ["too short", "sec_0000000000000000000"],
  ["too long", "sec_000000000000000000000"],
  ["a letter that Crockford leaves out", "sec_0000000000000000000i"],
  ["upper case", "sec_0000000000000000000A"],
  ["a newline at the end", "sec_00000000000000000000\n"],
])("%s is no id of the kind", (_, text) => {
  expect(isId("sec", text)).toBe(false);
});

test("an id is recognised", () => {
  expect(isId("sec", "sec_0123456789abcdefghjk")).toBe(true);
});
