import { expect, test } from "vitest";
import { type PlainDescendants, isCut, joined, plainDescendants } from "./descendants.ts";

const some = (tokens: readonly string[]): PlainDescendants => ({
  ...plainDescendants(undefined),
  users: [{ userId: "usr_1", name: "ada" }],
  tokens,
});

test("an answer with more of a kind than end at once is not the last", () => {
  const tokens = Array.from({ length: 501 }, (_, n) => `tok_${n}`);
  expect(isCut(some(tokens))).toBe(true);
  expect(isCut(some(tokens.slice(1)))).toBe(false);
});

test("what several answers list is told once", () => {
  expect(joined(some(["tok_1", "tok_2"]), some(["tok_2", "tok_3"]))).toEqual(
    some(["tok_1", "tok_2", "tok_3"]),
  );
});
