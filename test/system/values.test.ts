import { type Sallyport, enroll, openSallyport } from "@sallyport/client";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Deployment,
  loginOwner,
  makeSecrets,
  makeToken,
  refusal,
  startDeployment,
} from "./deployment.ts";

let deployment: Deployment;
let admin: Sallyport;
let reader: Sallyport;
let projectId: string;
let machineId: string;

beforeAll(async () => {
  deployment = await startDeployment();
  const owner = await loginOwner(deployment);
  admin = openSallyport(owner);
  ({ projectId } = await makeSecrets(admin, "web", {}));
  const machine = await enroll(
    deployment.endpoint,
    await makeToken(admin, owner, { projectId, secretIds: [] }),
  );
  machineId = machine.principalId;
  reader = openSallyport(machine);
});
afterAll(async () => {
  reader.close();
  admin.close();
  await deployment[Symbol.asyncDispose]();
});

let count = 0;

/** Stores a value under a new name, grants it and reads it back. */
async function roundTrip(plaintext: Uint8Array, kind: ValueKind): Promise<Buffer> {
  count += 1;
  const name = `V_${count}`;
  const secret = { projectId, projectName: "web", name, plaintext, kind };
  const { secretId } = await admin.createSecret(secret);
  await admin.services.grants.addGrant({ machineId, secretId });
  const [result] = await reader.read({ secretIds: [secretId] });
  if (result?.kind !== "value") throw new Error("not read");
  expect(result.valueKind).toBe(kind);
  return Buffer.from(result.plaintext);
}

const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, at) => at % 256));
const fields = (number: number, value: (at: number) => string) =>
  Buffer.from(
    JSON.stringify(
      Object.fromEntries(Array.from({ length: number }, (_, at) => [`F_${at}`, value(at)])),
    ),
  );

describe("a value comes back byte for byte", () => {
  test.each([
    { name: "the empty value", plaintext: Buffer.alloc(0) },
    { name: "one NUL", plaintext: Buffer.alloc(1) },
    { name: "every byte value", plaintext: bytes(256) },
    { name: "every byte value, backwards", plaintext: bytes(256).reverse() },
    {
      name: "what is not UTF-8",
      plaintext: Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
    },
    { name: "newlines of every kind", plaintext: Buffer.from("a\r\nb\nc\r\u2028d\n") },
    { name: "65,535 bytes", plaintext: bytes(65_535) },
    { name: "65,536 bytes", plaintext: bytes(65_536) },
  ])("$name", async ({ plaintext }) => {
    expect((await roundTrip(plaintext, ValueKind.SINGLE)).equals(plaintext)).toBe(true);
  });

  test("64 fields, and 65,536 bytes of fields", async () => {
    const many = fields(64, (at) => `value ${at} ✓`);
    expect((await roundTrip(many, ValueKind.FIELDS)).equals(many)).toBe(true);
    const frame = fields(64, () => "").length;
    const full = fields(64, (at) => "x".repeat(Math.floor((65_536 - frame + at) / 64)));
    expect(full.length).toBe(65_536);
    expect((await roundTrip(full, ValueKind.FIELDS)).equals(full)).toBe(true);
    const { secrets } = await admin.services.secrets.listSecrets({ projectId, pageSize: 1000 });
    const stored = secrets.find(({ name }) => name === `V_${count}`);
    expect(stored?.fieldNames).toEqual(Array.from({ length: 64 }, (_, at) => `F_${at}`).toSorted());
  });
});

describe("a value is refused", () => {
  test.each([
    {
      name: "of 65,537 bytes",
      plaintext: bytes(65_537),
      kind: ValueKind.SINGLE,
      reason: "TOO_LARGE",
    },
    {
      name: "of 900,000 bytes",
      plaintext: bytes(900_000),
      kind: ValueKind.SINGLE,
      reason: "TOO_LARGE",
    },
    { name: "of 2 MiB", plaintext: bytes(2_097_152), kind: ValueKind.SINGLE, reason: "TOO_LARGE" },
    {
      name: "of 65 fields",
      plaintext: fields(65, String),
      kind: ValueKind.FIELDS,
      reason: "FIELD_INVALID",
    },
    {
      name: "of no field",
      plaintext: Buffer.from("{}"),
      kind: ValueKind.FIELDS,
      reason: "FIELD_INVALID",
    },
    {
      name: "of fields over 65,536 bytes",
      plaintext: fields(2, () => "x".repeat(32_768)),
      kind: ValueKind.FIELDS,
      reason: "TOO_LARGE",
    },
  ])("$name", async ({ plaintext, kind, reason }) => {
    expect(await refusal(roundTrip(plaintext, kind))).toBe(reason);
  });
});
