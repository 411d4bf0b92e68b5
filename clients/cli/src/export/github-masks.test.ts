import { expect, test } from "vitest";
import { githubMasks } from "./github-masks.ts";

const masks = (...texts: string[]) =>
  githubMasks(texts.map((text, index) => ({ name: `V_${index}`, plaintext: Buffer.from(text) })));

test("every line of every value is masked once, and no empty one", () => {
  expect(masks("one", "-----BEGIN-----\r\nabc\n\n  \n-----END-----\n", "one")).toBe(
    "::add-mask::one\n::add-mask::-----BEGIN-----\n::add-mask::abc\n::add-mask::-----END-----\n",
  );
  expect(masks("")).toBe("");
});

test("what the runner unescapes is escaped", () => {
  expect(masks("50%0A::set-env")).toBe("::add-mask::50%250A::set-env\n");
});
