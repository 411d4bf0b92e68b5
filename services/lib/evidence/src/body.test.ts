import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Failure } from "@sallyport/rpc";
import { expect, test } from "vitest";
import { decodeBody } from "./body.ts";
import { EvidenceError } from "@sallyport/proto/verifying";

type Vector = { readonly name: string; readonly contentType: string; readonly body: string };
type Vectors = {
  readonly valid: (Vector & { readonly secretIds: string[] })[];
  readonly invalid: (Vector & { readonly refused: "body" | "content-type" | "field" })[];
};

const file = new URL("../../../../test/vectors/signing/bodies.json", import.meta.url);
const { valid, invalid } = JSON.parse(readFileSync(file, "utf8")) as Vectors;

const decode = ({ contentType, body }: Vector) =>
  decodeBody(ReadSecretsRequestSchema, { contentType, body: Buffer.from(body, "base64") });

function refusalOf(vector: Vector): string {
  try {
    decode(vector);
    return "none";
  } catch (error) {
    if (error instanceof EvidenceError) return error.step;
    return error instanceof Failure && error.reason === Reason.FIELD_INVALID
      ? "field"
      : String(error);
  }
}

test.each(valid)("SIGNING §5, decoded: $name", (vector) => {
  expect(decode(vector).secretIds).toEqual(vector.secretIds);
});

test.each(invalid)("SIGNING §5, refused as $refused: $name", (vector) => {
  expect(refusalOf(vector)).toBe(vector.refused);
});

test("a refusal names the field and never repeats what was sent", () => {
  const encoded = (text: string) => ({ contentType: "application/json", body: Buffer.from(text) });
  const outOfBounds = caught(encoded('{"secretIds":["hunter2"]}'));
  expect(outOfBounds).toBeInstanceOf(Failure);
  expect(outOfBounds).toMatchObject({ metadata: { field: "secret_ids[0]" } });
  for (const error of [outOfBounds, caught(encoded('{"hunter2":1}')), caught(encoded("hunter2"))])
    expect(inspect(error, { depth: 9 })).not.toContain("hunter2");
});

test.each([
  [
    "application/json",
    '{"allGranted":true,"allGranted":true}',
    "body: the message gives a field twice",
  ],
  [
    "application/json",
    '{"allGranted":true,"all_granted":true}',
    "body: the message gives a field twice",
  ],
  ["application/json", '{"never":1}', "body: the message is malformed or has unknown fields"],
  ["text/plain", "{}", "content-type: it is not accepted"],
])("the log is told what is wrong with %s %s", (contentType, text, message) => {
  expect(caught({ contentType, body: Buffer.from(text) })).toMatchObject({
    name: "EvidenceError",
    message,
  });
});

function caught(signed: Parameters<typeof decodeBody>[1]): unknown {
  try {
    return decodeBody(ReadSecretsRequestSchema, signed);
  } catch (error) {
    return error;
  }
}
