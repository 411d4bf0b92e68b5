import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GlobError, parseGlob } from "./glob.ts";

/**
 * The meaning of a glob once more, by trying everything: written apart from the matcher, without
 * its elements and its way back to the last star. Exponential, so only for short texts.
 */
function naive(pattern: string, text: string, anyCase: boolean): boolean {
  if (pattern === "") return text === "";
  const [first = "", rest] = [pattern[0], pattern.slice(1)];
  if (first === "*") {
    for (let taken = 0; taken <= text.length; taken += 1)
      if (naive(rest, text.slice(taken), anyCase)) return true;
    return false;
  }
  if (text === "") return false;
  const end = first === "[" ? pattern.indexOf("]") : 0;
  const here =
    first === "?" ||
    (first === "["
      ? inClass(pattern.slice(1, end), text.charAt(0), anyCase)
      : same(first, text.charAt(0), anyCase));
  return here && naive(pattern.slice(end + 1), text.slice(1), anyCase);
}

function inClass(content: string, character: string, anyCase: boolean): boolean {
  if (content.startsWith("!")) return !inClass(content.slice(1), character, anyCase);
  const [from = "", dash, to] = [content[0], content[1], content[2]];
  if (content === "") return false;
  if (dash === "-" && to !== undefined) {
    for (let code = from.charCodeAt(0); code <= to.charCodeAt(0); code += 1)
      if (same(String.fromCharCode(code), character, anyCase)) return true;
    return inClass(content.slice(3), character, anyCase);
  }
  return same(from, character, anyCase) || inClass(content.slice(1), character, anyCase);
}

function same(a: string, b: string, anyCase: boolean): boolean {
  return anyCase ? a.toLowerCase() === b.toLowerCase() : a === b;
}

const letters = fc.constantFrom("a", "b", "c", "A", "B", "-", ".", "1");
const ranges = fc.constantFrom("a-b", "b-c", "A-B", "a-c1", "a", "-a", "a-", "B1", "0-9.", "@-B");
const parts = fc.oneof(
  { weight: 4, arbitrary: letters },
  { weight: 3, arbitrary: fc.constant("*") },
  { weight: 2, arbitrary: fc.constant("?") },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("[", "[!"), ranges)
      .map(([open, members]) => `${open}${members}]`),
  },
);
const globs = fc.array(parts, { maxLength: 7 }).map((all) => all.join(""));
const texts = fc.array(letters, { maxLength: 8 }).map((all) => all.join(""));

describe("a glob", () => {
  test.each([true, false])("means what trying everything says (any case: %s)", (anyCase) => {
    fc.assert(
      fc.property(globs, texts, (pattern, text) => {
        expect(parseGlob(pattern, { anyCase }).matches(text)).toBe(naive(pattern, text, anyCase));
      }),
      { numRuns: 5000 },
    );
  });

  test("with nothing special in it matches itself and nothing else", () => {
    fc.assert(
      fc.property(texts, texts, (pattern, text) => {
        expect(parseGlob(pattern).matches(text)).toBe(pattern === text);
      }),
    );
  });

  test.each([
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["runner-*", "runner-", true],
    ["runner-*", "a-runner-1", false],
    ["*.ci.example", "host.ci.example", true],
    ["*.ci.example", "host.ci.example.evil", false],
    ["web-[0-9]?", "web-1a", true],
    ["web-[!0-9]", "web-1", false],
    ["?", "☃", true],
    ["?", "😀", true],
    ["[!a]", "😀", true],
    ["[a-z]", "ß", false],
    ["a.c", "abc", false],
    ["a+", "aa", false],
    ["(a|b)", "a", false],
  ])("%s on %s: %s", (pattern, text, want) => {
    expect(parseGlob(pattern).matches(text)).toBe(want);
  });

  test.each([
    ["RUNNER-[a-c]", "runner-B", true],
    ["[!a-c]", "B", false],
    ["[A-Z]*", "x1", true],
    ["ß", "ẞ", undefined],
    ["[A-Z]", "ß", false],
  ])("in any case, %s on %s: %s", (pattern, text, want) => {
    if (want === undefined) expect(() => parseGlob(pattern, { anyCase: true })).toThrow(GlobError);
    else expect(parseGlob(pattern, { anyCase: true }).matches(text)).toBe(want);
  });

  test("comes to an answer, however many stars there are", () => {
    const glob = parseGlob("*a".repeat(126));
    expect(glob.matches(`${"a".repeat(252)}b`)).toBe(false);
  });

  test.each([
    "[",
    "a[b",
    "[]",
    "[!]",
    "a]",
    "[z-a]",
    "[a^]",
    "[^a]",
    "[[]",
    "[\\]",
    "a\\*",
    "{a,b}",
    "worker-{id4}",
    "a b",
    "a\n",
    "é",
  ])("refuses %j", (pattern) => {
    expect(() => parseGlob(pattern)).toThrow(GlobError);
  });

  test("repeats nothing of a pattern that it refuses", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), (pattern) => {
        try {
          parseGlob(pattern);
        } catch (error) {
          expect(error).toBeInstanceOf(GlobError);
          expect(String(error)).not.toContain(pattern);
        }
      }),
    );
  });
});
