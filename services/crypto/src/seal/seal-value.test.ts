import { create } from "@bufbuild/protobuf";
import { SealingSuite, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { SealedValueSchema } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { expect, test } from "vitest";
import { newKey } from "../aead.ts";
import { sealVersion } from "./seal-value.ts";

const suite = SealingSuite.HPKE_X25519_SHA256_AES256GCM;

test.each([
  { name: "sealed", kind: ValueKind.SINGLE, want: "resolved" },
  { name: "refused", kind: ValueKind.FIELDS, want: "rejected" },
])("an opened value is zeroed once it is $name", async ({ kind, want }) => {
  const plaintext = new Uint8Array(Buffer.from("s3cret"));
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
    value: create(SealedValueSchema, { suite, keyId: "sealing-1", kind }),
  };
  const sealed = sealVersion(write, new Map([["sealing-1", key]]), { generation: 1, key: newKey() });
  expect(
    await sealed.then(
      () => "resolved",
      () => "rejected",
    ),
  ).toBe(want);
  expect(plaintext.every((byte) => byte === 0)).toBe(true);
});
