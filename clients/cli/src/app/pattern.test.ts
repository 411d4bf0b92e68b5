import { expect, test } from "vitest";
import { inWords } from "./pattern.ts";

const says = (pattern: string) => inWords(`does not match regex pattern \`${pattern}\``);

test.each([
  [
    "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
    "write it with letters, digits and _ . -, at most 128 of them, beginning with none of . -",
  ],
  [
    "^([A-Za-z0-9][A-Za-z0-9@._+-]{0,127})?$",
    "write it with letters, digits and @ . _ + -, at most 128 of them, beginning with none of @ . _ + -",
  ],
  ["^[^\\x00-\\x1f\\x7f]*$", "it holds control characters"],
  ["^sec_[0-9a-hjkmnp-tv-z]{20}$", "it has a form that is not allowed here"],
])("the rule %s is said in words", (pattern, want) => {
  expect(says(pattern)).toBe(want);
});

test("what names no rule is said as it is", () => {
  expect(inWords("must be at most 1000 bytes")).toBe("must be at most 1000 bytes");
  expect(inWords()).toBe("out of its bounds");
});
