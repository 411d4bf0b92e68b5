import { assert, property, string } from "fast-check";
import { expect, test } from "vitest";
import { safeJson, sanitise } from "./sanitise.ts";

const hostile: readonly (readonly [string, string, string])[] = [
  ["a colour", "\u001b[31mred", String.raw`\x1b[31mred`],
  ["a window title", "\u001b]0;title\u0007", String.raw`\x1b]0;title\x07`],
  ["an 8-bit escape", "\u009b2J", String.raw`\x9b2J`],
  ["a carriage return", "safe\rforged", String.raw`safe\x0dforged`],
  ["a new line", "one\ntwo", String.raw`one\x0atwo`],
  ["a tab", "a\tb", String.raw`a\x09b`],
  ["DEL", "\u007f", String.raw`\x7f`],
  ["right-to-left override", "\u202egpj.exe", String.raw`\u202egpj.exe`],
  ["an isolate", "\u2066x\u2069", String.raw`\u2066x\u2069`],
  ["a zero-width space", "a\u200bb", String.raw`a\u200bb`],
  ["a line separator", "a\u2028b", String.raw`a\u2028b`],
  ["a tag character", "a\u{e0041}", String.raw`a\u{e0041}`],
  ["half a character", "a\ud800", String.raw`a\ud800`],
];

test.each(hostile)("%s is shown as its code", (_, text, shown) => {
  expect(sanitise(text)).toBe(shown);
});

test.each(["DB_URL", "größer", "日本語", "🔑", "a'b\"c`d$e\\f"])("%s stays", (text) => {
  expect(sanitise(text)).toBe(text);
});

test("nothing that a terminal obeys is left of any text", () => {
  const safe = property(
    string({ unit: "binary", maxLength: 40 }),
    (text) => !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(sanitise(text)),
  );
  expect(() => assert(safe, { numRuns: 500 })).not.toThrow();
});

test("JSON is the same value, and as safe to show", () => {
  for (const [, text] of hostile) {
    const json = safeJson({ text });
    expect(JSON.parse(json)).toEqual({ text });
    expect(json).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u200b\u2028]/u);
  }
});
