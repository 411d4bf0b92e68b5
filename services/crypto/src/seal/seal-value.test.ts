import { create } from "@bufbuild/protobuf";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { SealedValueSchema } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { newKey } from "@sallyport/proto/keyring";
import { sealVersion } from "./seal-value.ts";

const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;

/** Seals into an envelope what a sealing key opens to this plaintext. */
function sealAs(
  plaintext: Uint8Array,
  value: { readonly suite: SealingSuite; readonly kind: ValueKind },
) {
  const key = { publicKey: new Uint8Array(32), open: async () => plaintext };
  const write = {
    vaultId: newId("vlt"),
    projectId: newId("prj"),
    secretId: newId("sec"),
    principalId: newId("usr"),
    expectedVersion: 0,
    projectName: "web",
    secretName: "DB_URL",
    requestDigest: new Uint8Array(32),
    value: create(SealedValueSchema, { ...value, keyId: "sealing-1" }),
  };
  return sealVersion(write, new Map([["sealing-1", key]]), { generation: 1, key: newKey() });
}

test.each([
  { name: "sealed", kind: ValueKind.SINGLE, want: "resolved" },
  { name: "refused", kind: ValueKind.FIELDS, want: "rejected" },
])("an opened value is zeroed once it is $name", async ({ kind, want }) => {
  const plaintext = new Uint8Array(Buffer.from("s3cret"));
  const sealed = sealAs(plaintext, { suite, kind });
  expect(
    await sealed.then(
      () => "resolved",
      () => "rejected",
    ),
  ).toBe(want);
  expect(plaintext.every((byte) => byte === 0)).toBe(true);
});

test.each([
  {
    name: "suite",
    value: { suite: SealingSuite.UNSPECIFIED, kind: ValueKind.SINGLE },
    description: "is sealed with an unknown suite",
  },
  {
    name: "kind",
    value: { suite, kind: ValueKind.UNSPECIFIED },
    description: "is of an unknown kind",
  },
])(
  "a $name that the contract may name one day is refused until it is built",
  async ({ value, description }) => {
    await expect(sealAs(Buffer.from("s3cret"), value)).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "value", description },
    });
  },
);
