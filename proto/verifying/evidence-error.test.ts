import { expect, test } from "vitest";
import { EvidenceError, atStep } from "./evidence-error.ts";

test("an error says its step, and keeps its cause when it has one", () => {
  const cause = new Error("why");
  const caused = new EvidenceError("body", "it is malformed", cause);
  expect(caused).toMatchObject({
    name: "EvidenceError",
    step: "body",
    message: "body: it is malformed",
    cause,
  });
  expect("cause" in new EvidenceError("body", "it is malformed")).toBe(false);
});

test("a check's result passes, its own refusal stays as it is, all else becomes one of the step", () => {
  expect(atStep("permit", () => 1)).toBe(1);
  const refusal = new EvidenceError("slip", "it is expired");
  const thrown = (value: unknown) => {
    try {
      return atStep("permit", () => {
        throw value;
      });
    } catch (error) {
      return error;
    }
  };
  expect(thrown(refusal)).toBe(refusal);
  expect(thrown(new Error("no"))).toEqual(new EvidenceError("permit", "no"));
  expect(thrown("no")).toEqual(new EvidenceError("permit", "malformed"));
});
