import { ListValueSchema, StructSchema, TypeSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { hasDoublyNamedFields, hasDuplicateKeys } from "./json-keys.ts";

test.each([
  ['{"a":1,"a":2}', true],
  ['{"a":1,"b":2}', false],
  ['{"a":{},"a":1}', true],
  ['{"a":1,"b":{"a":2}}', false],
  ['{"x":{"b":1},"b":2}', false],
  ['{"x":{"b":1},"b":2,"b":3}', true],
  ['{"x":{"b":1,"b":2}}', true],
  ['[{"a":1},{"a":2}]', false],
  ['[{"a":1},{"a":2,"a":3}]', true],
  ['{"x":[],"y":1}', false],
  ['{"x":[],"y":1,"y":2}', true],
  ['{"x":[{"y":1}],"y":2}', false],
  ['["a","a"]', false],
  ['{"a":"a","b":"a"}', false],
  ['{"a":"}","a":1}', true],
  ['{"a":"{","b":{"a":1}}', false],
  ['{"a":":","b":":"}', false],
  ['{ "a" : 1 , "a"\t\n\r : 2 }', true],
  ['{ "a" \t:1, "b"\n: 2, "c"\r:3 }', false],
  ['{"\\u0061":1,"a":2}', true],
  ['{"a\\\\":1,"a":2}', false],
  ['{"a\\"":1,"a":2}', false],
  ['{"a\\":":1,"a\\":":2}', true],
  ['{"b":"\\\\","a":1,"a":2}', true],
  ['{"":1,"":2}', true],
  ['"a"', false],
  ['"a" ', false],
  ["1", false],
])("a key is repeated in %s: %s", (text, want) => {
  JSON.parse(text);
  expect(hasDuplicateKeys(text)).toBe(want);
});

const twice = { number_value: 1, numberValue: 2 };
const once = { number_value: 1 };

test.each([
  ["both names", ValueSchema, twice, true],
  ["one name", ValueSchema, once, false],
  ["the other name", ValueSchema, { numberValue: 1 }, false],
  ["two fields", ValueSchema, { number_value: 1, stringValue: "" }, false],
  ["a field that has one name only", StructSchema, { fields: {} }, false],
  ["a message with both", TypeSchema, { source_context: { file_name: "a", fileName: "b" } }, true],
  [
    "a message by its other name, with both",
    TypeSchema,
    { sourceContext: { file_name: "", fileName: "" } },
    true,
  ],
  ["a message with one", TypeSchema, { source_context: { file_name: "a" } }, false],
  ["a list with both in its second", ListValueSchema, { values: [once, twice] }, true],
  ["a list with one in each", ListValueSchema, { values: [once, { numberValue: 1 }] }, false],
  ["a map with both in its second", StructSchema, { fields: { a: once, b: twice } }, true],
  [
    "a map with keys like the names of a field",
    StructSchema,
    { fields: { number_value: once, numberValue: once } },
    false,
  ],
  [
    "both, three deep",
    ValueSchema,
    { list_value: { values: [{ structValue: { fields: { a: twice } } }] } },
    true,
  ],
  [
    "an array where a message belongs",
    TypeSchema,
    { source_context: [{ file_name: "", fileName: "" }] },
    false,
  ],
  ["an array where a map belongs", StructSchema, { fields: [twice] }, false],
  ["an object where a list belongs", ListValueSchema, { values: { number_value: twice } }, false],
  ["an object where a number belongs", ValueSchema, { number_value: twice }, false],
  ["null where a message belongs", TypeSchema, { source_context: null }, false],
  ["null", ValueSchema, null, false],
  ["a text", ValueSchema, "number_value", false],
  ["an array", ValueSchema, [twice], false],
] as const)("a field is named twice in %s: %#", (_, schema, value, want) => {
  expect(hasDoublyNamedFields(schema, value)).toBe(want);
});
