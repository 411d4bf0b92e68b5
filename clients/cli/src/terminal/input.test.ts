import { expect, test } from "vitest";
import { trimmed } from "./input.ts";

const cut = (text: string) => Buffer.from(trimmed(Buffer.from(text))).toString();

test.each([
  ["value", "value"],
  ["value\n", "value"],
  ["value\r\n", "value"],
  ["value\n\n", "value\n"],
  ["value\r", "value\r"],
  ["\ufeffvalue\r\n", "value"],
  ["a\ufeffb", "a\ufeffb"],
  ["\n", ""],
  ["", ""],
])("of piped %j stays %j", (input, wanted) => {
  expect(cut(input)).toBe(wanted);
});
