import { expect, test } from "vitest";
import { FieldsError, fieldNamesOf } from "./fields.ts";

const names = (count: number) =>
  Array.from({ length: count }, (_, at) => `N${String(at).padStart(2, "0")}`);
const objectOf = (fields: readonly string[]) =>
  `{${fields.map((name) => `"${name}":""`).join(",")}}`;

test.each([
  { name: "one", json: '{"A":"1"}', want: ["A"] },
  { name: "sorted", json: '{"b":"","_a":"","B":""}', want: ["B", "_a", "b"] },
  { name: "space everywhere", json: ' \t\n\r{ "A" : "1" , "B" : "2" } \n', want: ["A", "B"] },
  {
    name: "every escape in a value",
    json: String.raw`{"A":"\"\\\/\b\f\n\r\t\u0041\uD83D\uDE00"}`,
    want: ["A"],
  },
  { name: "text beyond ASCII in a value", json: '{"A":"žluťoučký 🐎"}', want: ["A"] },
  { name: "name of 128 characters", json: objectOf(["n".repeat(128)]), want: ["n".repeat(128)] },
  { name: "64 fields", json: objectOf(names(64)), want: names(64) },
  {
    name: "names like those of Object",
    json: '{"__proto__":"","constructor":""}',
    want: ["__proto__", "constructor"],
  },
])("reads $name", ({ json, want }) => {
  expect(fieldNamesOf(Buffer.from(json))).toEqual(want);
  expect(Object.keys(JSON.parse(json) as object).sort()).toEqual(want); // A JSON parser agrees.
});

test.each([
  { name: "nothing", json: "" },
  { name: "no object", json: '"A"' },
  { name: "an array", json: '["A"]' },
  { name: "no field", json: "{}" },
  { name: "65 fields", json: objectOf(names(65)) },
  { name: "a field twice", json: '{"A":"1","A":"1"}' },
  { name: "an empty name", json: '{"":"1"}' },
  { name: "a name that begins with a digit", json: '{"1A":"1"}' },
  { name: "a name with a dash", json: '{"A-B":"1"}' },
  { name: "a name with an escape", json: String.raw`{"\u0041":"1"}` },
  { name: "a name of 129 characters", json: objectOf(["n".repeat(129)]) },
  { name: "a number", json: '{"A":1}' },
  { name: "null", json: '{"A":null}' },
  { name: "an object inside", json: '{"A":{"B":"1"}}' },
  { name: "a trailing comma", json: '{"A":"1",}' },
  { name: "a missing comma", json: '{"A":"1" "B":"2"}' },
  { name: "a missing colon", json: '{"A" "1"}' },
  { name: "an unknown escape", json: String.raw`{"A":"\x41"}` },
  { name: "an escape cut short", json: String.raw`{"A":"\u12"}` },
  { name: "a line break in a value", json: '{"A":"\n"}' },
  { name: "an open string", json: '{"A":"1' },
  { name: "a string that ends in an escape", json: '{"A":"\\' },
  { name: "an open object", json: '{"A":"1"' },
  { name: "text after the object", json: '{"A":"1"}x' },
  { name: "another opening", json: '["A":"1"}' },
  { name: "another closing", json: '{"A":"1"]' },
  { name: "another sign for a colon", json: '{"A";"1"}' },
  { name: "a name without its first quote", json: '{xA":"1"}' },
  { name: "a value without its first quote", json: '{"A":x1"}' },
  { name: "an unknown escape before four digits", json: String.raw`{"A":"\x0041"}` },
  { name: "an escape without digits", json: String.raw`{"A":"\uzzzz"}` },
  { name: "a byte order mark", json: '\uFEFF{"A":"1"}' },
])("refuses $name", ({ json }) => {
  expect(() => fieldNamesOf(Buffer.from(json))).toThrow(FieldsError);
});

test.each([
  ["{}", "is not one JSON object of named strings"],
  ['{"A', "is not one JSON object of named strings"],
  ['{"A-B":"1"}', "has a field whose name is not an identifier of at most 128 characters"],
  [
    objectOf(["n".repeat(129)]),
    "has a field whose name is not an identifier of at most 128 characters",
  ],
  ['{"A":"1","A":"1"}', "has a field twice"],
  [objectOf(names(65)), "has more than 64 fields"],
])("says of %s that it %s", (json, message) => {
  expect(() => fieldNamesOf(Buffer.from(json))).toThrow(
    expect.objectContaining({ name: "FieldsError", message }),
  );
});

test("refuses what is not UTF-8", () => {
  expect(() => fieldNamesOf(Buffer.from('{"A":"\xff"}', "latin1"))).toThrow("is not UTF-8");
});

test("an error never holds any of the plaintext", () => {
  for (const json of [
    '{"canary-x":"canary-y"}',
    '{"canary":"x","canary":"y"}',
    '{"A":"canary',
    "canary",
  ])
    expect(() => fieldNamesOf(Buffer.from(json))).toThrow(/^(?!.*canary)/);
});
