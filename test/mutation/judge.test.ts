import { expect, test } from "vitest";
import { type Finding, judge } from "./judge.ts";
import type { Outcome } from "./lines.ts";

const found = (outcome: Outcome, change: string): Finding => ({
  id: change,
  file: "services/x/src/y.ts",
  line: 1,
  code: "return a && b;",
  change,
  outcome,
});
const explained = (change: string) => ({
  file: "services/x/src/y.ts",
  code: "return a && b;",
  change,
  why: "it changes nothing",
});
const killed = (count: number) =>
  Array.from({ length: count }, (_, at) => found("killed", `a → ${at}`));

test("a run stands when enough is noticed and every survivor is explained", () => {
  const findings = [...killed(18), found("timeout", "b → a"), found("survived", "a → b")];
  expect(judge(findings, [explained("a → b")])).toMatchObject({
    counts: { killed: 18, timeout: 1, survived: 1, uncovered: 0 },
    score: 0.95,
    unexplained: [],
    stale: [],
    stands: true,
  });
});

test.each(["survived", "uncovered"] as const)("a mutant that %s must be explained", (outcome) => {
  const findings = [...killed(99), found(outcome, "a → b")];
  expect(judge(findings, [])).toMatchObject({ unexplained: [{ change: "a → b" }], stands: false });
});

test("explaining every survivor does not help below the least score", () => {
  const findings = [...killed(18), found("survived", "a → b"), found("survived", "b → a")];
  const all = [explained("a → b"), explained("b → a")];
  expect(judge(findings, all)).toMatchObject({
    unexplained: [],
    stale: [],
    score: 0.9,
    stands: false,
  });
});

test("an explanation of what does not survive, or does not exist, must go", () => {
  const stale = [explained("a → 1"), explained("b → a")];
  expect(judge(killed(20), stale)).toMatchObject({ stale, stands: false });
});

test("nothing at all does not stand", () => {
  expect(judge([], [])).toMatchObject({ score: 0, stands: false });
});
