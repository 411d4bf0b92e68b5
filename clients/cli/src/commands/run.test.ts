import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { expect, test } from "vitest";
import { variablesOf } from "./run.ts";

function value(name: string, text: string | Uint8Array, valueKind: ValueKind = ValueKind.SINGLE) {
  return {
    kind: "value" as const,
    secretId: `sec_${name}`,
    projectId: "prj_x",
    name,
    version: 1,
    valueKind,
    plaintext: Buffer.from(text),
  };
}

test("every value becomes a variable, byte for byte", () => {
  const odd = "line 1\nline 2 $HOME `x` \"q\" 'q' \\ ünï = ";
  expect(variablesOf([value("A", odd), value("B", "")])).toEqual({ A: odd, B: "" });
});

test("--only chooses, and names what is not there", () => {
  const results = [value("A", "1"), value("B", "2")];
  expect(variablesOf(results, ["B"])).toEqual({ B: "2" });
  expect(() => variablesOf(results, ["C"])).toThrow(/no grant covers C/);
});

test("what cannot be a variable is refused with a reason", () => {
  expect(() => variablesOf([value("A", Buffer.from([65, 0, 66]))])).toThrow(/NUL/);
  expect(() => variablesOf([value("A", "{}", ValueKind.FIELDS)])).toThrow(/fields/);
  expect(() => variablesOf([value("A", "1"), value("A", "2")])).toThrow(/several projects/);
  expect(() =>
    variablesOf([{ kind: "refused", secretId: "sec_a", projectId: "", reason: "NOT_GRANTED" }]),
  ).toThrow(/refused/);
});
