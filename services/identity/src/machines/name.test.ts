import { expect, test } from "vitest";
import { GlobError } from "../tokens/glob.ts";
import { makesNames, nameMachine, parseNamePattern } from "./name.ts";

const naming = { machineName: "", hostname: "runner-1", machineId: "mch_0123456789abcdefghjk" };

test("a name that is asked for comes before the host name, and that before one from the id", () => {
  expect(nameMachine("", { ...naming, machineName: "build" })).toBe("build");
  expect(nameMachine("", naming)).toBe("runner-1");
  for (const hostname of ["", "-x", "a b", "ü", "x".repeat(129)])
    expect(nameMachine("", { ...naming, hostname })).toBe("machine-cdefghjk");
});

test("a glob admits names that match it as a whole, whatever they come from", () => {
  expect(nameMachine("runner-?", naming)).toBe("runner-1");
  expect(nameMachine("runner", naming)).toBeUndefined();
  expect(nameMachine("machine-*", { ...naming, hostname: "" })).toBe("machine-cdefghjk");
  expect(nameMachine("runner-*", { ...naming, machineName: "build" })).toBeUndefined();
});

test("a template makes another name each time, and admits none that is asked for", () => {
  const [one, other] = [nameMachine("ci-{id8}-x", naming), nameMachine("ci-{id8}-x", naming)];
  expect(one).toMatch(/^ci-[0-9a-hjkmnp-tv-z]{8}-x$/);
  expect(one).not.toBe(other);
  expect(nameMachine("ci-{id8}", { ...naming, machineName: "ci-00000000" })).toBeUndefined();
  expect([makesNames("ci-{id8}"), makesNames("ci-*")]).toEqual([true, false]);
});

test.each([
  ["{id8}{id8}", "has {id8} twice"],
  ["-{id8}", "does not make a machine name"],
  [`${"a".repeat(121)}{id8}`, "does not make a machine name"],
  ["a b", "has a character that no machine name has"],
  ["ü*", "has a character that no machine name has"],
])("%j is no pattern", (pattern, message) => {
  expect(() => parseNamePattern(pattern)).toThrow(GlobError);
  expect(() => parseNamePattern(pattern)).toThrow(message);
});

test("the longest template makes names of 128 characters", () => {
  expect(nameMachine(`${"a".repeat(120)}{id8}`, naming)).toHaveLength(128);
});
