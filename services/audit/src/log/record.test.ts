import { readFileSync } from "node:fs";
import { clone, fromJson } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  ActorKind,
  RecordSchema,
  Severity,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { describe, expect, test } from "vitest";
import { canonicalBytes, recordOf } from "./record.ts";

type Case = {
  readonly name: string;
  readonly section: string;
  readonly record: Parameters<typeof fromJson>[1];
  readonly canonical: string;
};

// A parser: the file is part of the repository.
const vectors = JSON.parse(
  readFileSync(new URL("../../../../test/vectors/audit/records.json", import.meta.url), "utf8"),
) as { readonly valid: readonly Case[]; readonly invalid: readonly Case[] };

function bytesOf({ record }: Case): string {
  return Buffer.from(canonicalBytes(fromJson(RecordSchema, record))).toString("hex");
}

describe("canonical bytes (LOG §4)", () => {
  test.each(vectors.valid)("$section: $name", (vector) => {
    expect(bytesOf(vector)).toBe(vector.canonical);
  });

  test.each(vectors.invalid)("$section: not $name", (vector) => {
    expect(bytesOf(vector)).not.toBe(vector.canonical);
  });

  test("every field counts", () => {
    const [vector] = vectors.valid;
    if (vector === undefined) throw new Error("no vectors");
    const full = fromJson(RecordSchema, vector.record);
    const seen = new Set([bytesOf(vector)]);
    for (const field of RecordSchema.fields) {
      const record = clone(RecordSchema, full);
      Reflect.deleteProperty(record, field.localName);
      const empty = { ...fromJson(RecordSchema, {}), ...record };
      seen.add(Buffer.from(canonicalBytes(empty)).toString("hex"));
    }
    expect(seen.size).toBe(RecordSchema.fields.length + 1);
  });
});

test("a record's times are cut to milliseconds, also before they are rounded up (LOG §2)", () => {
  const event = newEvent("secrets", "secret.created", { actorKind: ActorKind.USER });
  event.time = timestampFromDate(new Date("2026-01-02T03:04:05.678Z"));
  event.time.nanos += 999_999;
  const record = recordOf(event, {
    seq: 1n,
    recordedAtMs: 5,
    emitter: "secrets",
    severity: Severity.NOTICE,
  });
  expect(record.time && timestampDate(record.time).toISOString()).toBe("2026-01-02T03:04:05.678Z");
  expect(record.time?.nanos).toBe(678_000_000);
});
