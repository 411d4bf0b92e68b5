import { describe, expect, test } from "vitest";
import { checkText, durationWithin, textUpTo, words } from "./bounded.ts";

const day = durationWithin("1h", "how long", { min: "60s", max: "1d" });

describe("bounds are exact, and said", () => {
  test.each([
    ["60s", 60],
    ["1m", 60],
    ["24h", 86_400],
    ["1d", 86_400],
  ])("%s is %d seconds", (typed, seconds) => {
    expect(day.read(typed, "--ttl")).toBe(seconds);
  });

  test.each(["59s", "86401s", "2d", "0s"])("%s is not within them", (typed) => {
    expect(() => day.read(typed, "--ttl")).toThrow(`--ttl takes 60s to 1d, not ${typed}`);
  });

  test("of a duration stand in help, with what it is otherwise", () => {
    expect(day).toMatchObject({ absent: 3600, summary: "how long, 60s to 1d (1h if not given)" });
  });

  test("of a text count bytes", () => {
    const option = textUpTo(4, "for people");
    expect(option.absent).toBe("");
    expect(option.read("éé", "--text")).toBe("éé");
    expect(() => option.read("ééa", "--text")).toThrow("--text takes at most 4 bytes, not 5");
    expect(() => checkText("the name", "", { min: 1, max: 4 })).toThrow(
      "the name takes 1 to 4 bytes, not 0",
    );
  });

  test.each(["a\nb", "a\u0000", "\u001b[2J", "a\u0085"])("%j is no text for people", (typed) => {
    expect(() => checkText("the name", typed, { max: 100 })).toThrow(
      /must not hold control characters/,
    );
  });

  test("of words are the words", () => {
    const option = words("only these", ["open", "spent"]);
    expect(option.read("open, spent", "--state")).toEqual(["open", "spent"]);
    expect(() => option.read("open,x", "--state")).toThrow('--state takes open, spent, not "x"');
    expect(() => option.read("open,", "--state")).toThrow(/empty item/);
  });
});
