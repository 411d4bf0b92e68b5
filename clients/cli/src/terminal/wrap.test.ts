import { expect, test } from "vitest";
import { wrap } from "./wrap.ts";

test("a text is broken between words, and goes on indented", () => {
  expect(wrap("  → one two three four", 12, "    ")).toEqual([
    "  → one two",
    "    three",
    "    four",
  ]);
  expect(wrap("fits", 80, "  ")).toEqual(["fits"]);
  expect(wrap("  a-word-that-is-longer-than-the-line b", 10, "  ")).toEqual([
    "  a-word-that-is-longer-than-the-line",
    "  b",
  ]);
});

test("without a terminal nothing is broken", () => {
  expect(wrap("a b c", Number.MAX_SAFE_INTEGER, "")).toEqual(["a b c"]);
});
