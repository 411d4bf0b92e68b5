import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

const id = "0123456789abcdefghjk";
const texts = [
  ...["vlt", "prj", "sec", "mch", "tok", "usr", "evt"].map((prefix) => `${prefix}_${id}`),
  `usr_${id}.${id}`,
  "DB_URL",
  "web",
  "secret.read",
  "NOT_GRANTED",
  "192.0.2.0/24",
  "::ffff:192.0.2.7",
  "runner-{id8}",
  "",
  "a\u0301",
  "\u0000",
  "x".repeat(129),
];
// What a field of that name is likely to hold.
const byName: Readonly<Record<string, string>> = {
  vault: "vlt",
  project: "prj",
  secret: "sec",
  machine: "mch",
  token: "tok",
  code: "tok",
  user: "usr",
  event: "evt",
  principal: "mch",
  decision: "dec",
};
const lengths = [0, 16, 31, 32, 32, 32, 32, 32, 64, 64];
const numbers = ["0", "1", "50", "200", "201", "1000", "4294967295", "9223372036854775807"];
const times = [
  "2026-01-01T00:00:00Z",
  "1970-01-01T00:00:00.000000001Z",
  "9999-12-31T23:59:59.999999999Z",
];
const durations = ["60s", "600s", "3600.5s", "31536000s", "0.000000001s", "-1s"];

/**
 * A message in JSON by its contract, most of whose values keep their bounds; fields are left out
 * now and then.
 */
export function randomJson(schema: DescMessage, random: Random): JsonObject {
  const chosen = new Map<string, DescField>();
  for (const field of schema.fields)
    if (random.below(3) > 0) chosen.set(field.oneof?.name ?? field.jsonName, field);
  return Object.fromEntries(
    [...chosen.values()].map((field) => [field.jsonName, valueOf(field, random)]),
  );
}

function valueOf(field: DescField, random: Random): JsonValue {
  if (field.fieldKind === "list")
    return Array.from({ length: random.below(4) }, () => single(field, random));
  if (field.fieldKind === "map")
    return Object.fromEntries(
      Array.from({ length: random.below(3) }, () => [random.pick(texts), "x"]),
    );
  return single(field, random);
}

const large: readonly (ScalarType | undefined)[] = [ScalarType.UINT64, ScalarType.INT64];

function single(field: DescField, random: Random): JsonValue {
  if (field.message) return messageOf(field.message, random);
  if (field.enum) return random.below(field.enum.values.length);
  if (field.scalar === ScalarType.STRING) return textOf(field, random);
  if (field.scalar === ScalarType.BYTES)
    return random.bytes(random.pick(lengths)).toString("base64");
  if (field.scalar === ScalarType.BOOL) return random.below(2) === 1;
  return large.includes(field.scalar)
    ? random.pick(numbers)
    : Number(random.pick(numbers.slice(0, -1)));
}

function textOf({ name }: DescField, random: Random): string {
  const [, noun = ""] = /^([a-z]+)_ids?$/.exec(name) ?? [];
  const prefix = byName[noun];
  if (random.below(4) === 0) return random.pick(texts);
  if (prefix !== undefined) return `${prefix}_${id.slice(1)}${id.charAt(random.below(id.length))}`;
  return name.endsWith("_token") || name.endsWith("pattern")
    ? ""
    : random.pick(["DB_URL", "web", ""]);
}

function messageOf(schema: DescMessage, random: Random): JsonValue {
  if (schema.typeName === "google.protobuf.Timestamp") return random.pick(times);
  if (schema.typeName === "google.protobuf.Duration") return random.pick(durations);
  return randomJson(schema, random);
}
