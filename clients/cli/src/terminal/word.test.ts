import { expect, test } from "vitest";
import { wordOr } from "./word.ts";

test.each(["web", "DB_URL", "ada@example.org", "prj_00000000000000000000", "a.b-c+d"])(
  "%s is a word",
  (name) => {
    expect(wordOr(name, "NAME")).toBe(name);
  },
);

test.each(["$(reboot)", "a; reboot", "a b", "", "`id`", 'x"', "a\nb", "--yes", "~", "a/b"])(
  "%j is left out of a command to copy",
  (name) => {
    expect(wordOr(name, "NAME")).toBe("NAME");
  },
);
