import { describe, expect, test } from "vitest";
import { type Typed, createTyping } from "./typing.ts";

/** What comes of keys, as they arrive in parts. */
function typing(...parts: string[]): Typed {
  const answer = createTyping();
  return parts.map((keys) => answer.take(keys)).at(-1) ?? "more";
}

describe("an answer that is not shown", () => {
  test.each([
    ["typed key by key", ["a", "b", "\r"], "ab"],
    ["pasted, with the end of its line", ["ab\r\n"], "ab"],
    ["ended by Ctrl-D", ["ab", "\u0004"], "ab"],
    ["empty", ["\r"], ""],
    ["after a key was taken back", ["ac", "\u007f", "b\r"], "ab"],
    ["after a character of two code units was taken back", ["a😀", "\u007f", "b\r"], "ab"],
    ["after Ctrl-H", ["ac\bb\r"], "ab"],
    ["after Ctrl-U emptied it", ["wrong", "\u0015", "ab\r"], "ab"],
    [
      "without what arrow keys, Home and F1 send",
      ["a", "\u001b[A", "\u001b[1~", "\u001bOP", "b\r"],
      "ab",
    ],
    ["without other control keys", ["a\u0001\u0017b\u000c\r"], "ab"],
    ["with tabs and spaces", [" a\tb \r"], " a\tb "],
  ])("is the text %s", (_, parts, text) => {
    expect(typing(...parts)).toEqual({ text });
  });

  test("is not whole before its end", () => {
    expect(typing("a", "b")).toBe("more");
  });

  test("is given up by Ctrl-C", () => {
    expect(typing("ab", "\u0003")).toBe("stopped");
  });

  test("of several lines that were pasted is none: it would be its first line", () => {
    for (const pasted of ["-----BEGIN KEY-----\nMIIE\n", "a\rb", "a\r\n\r\nb"])
      expect(typing(pasted)).toBe("lines");
    expect(typing("a\n\n")).toEqual({ text: "a" });
  });
});
