import { expect, test } from "vitest";
import { StepRefusal, at } from "./step-refusal.ts";

test("a step that throws is named, with what was known and the error for the client", async () => {
  const cause = new Error("no");
  const refused = at("content", { claimedKeyId: "mch_1" }, () => Promise.reject(cause));
  const error: unknown = await refused.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StepRefusal);
  expect(error).toMatchObject({
    name: "StepRefusal",
    message: "refused at content",
    step: "content",
    known: { claimedKeyId: "mch_1" },
    cause,
  });
});

test("a step that holds gives its result", async () => {
  expect(await at("content", {}, () => 7)).toBe(7);
});
