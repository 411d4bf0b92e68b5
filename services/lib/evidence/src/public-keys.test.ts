import {
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  create,
  toBinary,
} from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadSecretsRequestSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollRequestSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  RedeemLoginCodeRequestSchema,
  RenewDeviceRequestSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import {
  AddVersionRequestSchema,
  CreateSecretRequestSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { publicServices } from "@sallyport/proto/verifying";
import { Failure } from "@sallyport/rpc";
import { newId } from "@sallyport/proto/ids";
import { describe, expect, test } from "vitest";
import { decodeBody } from "./body.ts";
import { publicKeyOf } from "./ed25519.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const top = "ff".repeat(30);

const badX25519: Readonly<Record<string, Uint8Array>> = {
  "0": new Uint8Array(32),
  "1": bytes(`01${"00".repeat(31)}`),
  "of order 8": bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
  "of order 8, the other": bytes(
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ),
  "p - 1": bytes(`ec${top}7f`),
  p: bytes(`ed${top}7f`),
  "p + 1": bytes(`ee${top}7f`),
  "2^255 - 1": bytes(`ff${top}7f`),
  "9 with the bit that is ignored": bytes(`09${"00".repeat(30)}80`),
  "0 with the bit that is ignored": bytes(`${"00".repeat(31)}80`),
};
const badEd25519: Readonly<Record<string, Uint8Array>> = {
  "of order 1": bytes(`01${"00".repeat(31)}`),
  "of order 1, x = 0 with a sign": bytes(`01${"00".repeat(30)}80`),
  "of order 2": bytes(`ec${top}7f`),
  "of order 4": new Uint8Array(32),
  "of order 4, negative": bytes(`${"00".repeat(31)}80`),
  "of order 8": bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
  "of order 8, negative": bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
  "of order 8, the other": bytes(
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ),
  "y = p": bytes(`ed${top}7f`),
  "y = p + 3, negative": bytes(`f0${top}ff`),
};
// Just below the field, and just above what is of small order.
const goodX25519 = [
  bytes(`eb${top}7f`),
  bytes(`02${"00".repeat(31)}`),
  bytes(`${"ff".repeat(30)}fe7f`),
];
const goodEd25519 = [
  publicKeyOf(new Uint8Array(32).fill(7)),
  publicKeyOf(new Uint8Array(32).fill(8)),
];

type Field = {
  readonly message: string;
  readonly field: string;
  readonly bad: Readonly<Record<string, Uint8Array>>;
  readonly good: readonly Uint8Array[];
  readonly refusalWith: (key: Uint8Array) => unknown;
};

/** Makes fields that hold such keys. */
function holding(bad: Field["bad"], good: Field["good"]) {
  return <D extends DescMessage>(
    field: string,
    schema: D,
    messageWith: (given: Uint8Array) => MessageInitShape<D>,
  ): Field => ({
    message: schema.name,
    field,
    bad,
    good,
    refusalWith: decoding(schema, messageWith),
  });
}
const x25519 = holding(badX25519, goodX25519);
const ed25519 = holding(badEd25519, goodEd25519);

const [key = new Uint8Array()] = goodEd25519;
const proof = new Uint8Array(64).fill(1);
const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;
const kind = ValueKind.SINGLE;
const value = { suite, keyId: "sealing-1", ciphertext: new Uint8Array(40), kind };
const enrollWith = (publicKey: Uint8Array) =>
  ({
    vaultId: newId("vlt"),
    admission: { case: "token", value: { tokenId: newId("tok"), publicKey, proof } },
  }) as const;
const redeem = {
  vaultId: newId("vlt"),
  codeId: newId("tok"),
  codePublicKey: key,
  codeProof: proof,
};
const made = {
  projectId: newId("prj"),
  secretId: newId("sec"),
  name: "ONE",
  idNonce: new Uint8Array(16),
};
const added = { projectId: made.projectId, secretId: made.secretId, expectedVersion: 1 };

const fields: readonly Field[] = [
  x25519("recipient.public_key", ReadSecretsRequestSchema, (publicKey) => ({
    allGranted: true,
    recipient: { suite, publicKey },
  })),
  x25519("value.encapsulated_key", CreateSecretRequestSchema, (encapsulatedKey) => ({
    ...made,
    value: { ...value, encapsulatedKey },
  })),
  x25519("value.encapsulated_key", AddVersionRequestSchema, (encapsulatedKey) => ({
    ...added,
    value: { ...value, encapsulatedKey },
  })),
  ed25519("token.public_key", EnrollRequestSchema, (publicKey) => ({
    ...enrollWith(publicKey),
    machinePublicKey: key,
  })),
  ed25519("machine_public_key", EnrollRequestSchema, (machinePublicKey) => ({
    ...enrollWith(key),
    machinePublicKey,
  })),
  ed25519("code_public_key", RedeemLoginCodeRequestSchema, (codePublicKey) => ({
    ...redeem,
    devicePublicKey: key,
    codePublicKey,
  })),
  ed25519("device_public_key", RedeemLoginCodeRequestSchema, (devicePublicKey) => ({
    ...redeem,
    devicePublicKey,
  })),
  ed25519("new_public_key", RenewDeviceRequestSchema, (newPublicKey) => ({ newPublicKey, proof })),
];

describe.each(fields)("$message $field", ({ field, bad, good, refusalWith }) => {
  test.each(Object.entries(bad))("%s is FIELD_INVALID, and named", (_, given) => {
    const refusal = refusalWith(given);
    expect(refusal).toBeInstanceOf(Failure);
    const description: unknown = expect.stringMatching(/make a new one$/);
    expect(refusal).toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field, description },
    });
  });

  test.each([0, 31, 33])("a key of %i bytes is FIELD_INVALID, and named", (length) => {
    expect(refusalWith(new Uint8Array(length).fill(7))).toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field },
    });
  });

  test.each(good.map((given) => [Buffer.from(given).toString("hex"), given] as const))(
    "%s is taken",
    (_, given) => {
      expect(refusalWith(given)).toBeUndefined();
    },
  );
});

test("every key that a public request may bring is looked at", () => {
  const brought = publicServices.flatMap(({ methods }) =>
    methods.flatMap(({ input }) => keyFieldsOf(input).map((field) => `${input.name} ${field}`)),
  );
  const known = fields.map(({ field, message }) => `${message} ${field}`);
  expect(brought.toSorted()).toEqual(known.toSorted());
});

/** The paths of the fields of 32 bytes that are keys; a hash of one is none. */
function keyFieldsOf({ fields: own }: DescMessage): string[] {
  return own.flatMap((field) => {
    if (field.message) return keyFieldsOf(field.message).map((path) => `${field.name}.${path}`);
    const isKey = field.scalar === ScalarType.BYTES && field.name.endsWith("_key");
    return isKey ? [field.name] : [];
  });
}

function decoding<D extends DescMessage>(
  schema: D,
  messageWith: (given: Uint8Array) => MessageInitShape<D>,
) {
  return (given: Uint8Array): unknown => {
    const body = toBinary(schema, create(schema, messageWith(given)));
    try {
      decodeBody(schema, { contentType: "application/proto", body });
      return undefined;
    } catch (error) {
      return error;
    }
  };
}
