import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { writeInfo } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { type WriteTarget, sealValue } from "./seal.ts";

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const target: WriteTarget = {
  vaultId: "vlt_00000000000000000000",
  projectId: "prj_00000000000000000000",
  secretId: "sec_00000000000000000000",
  expectedVersion: 3,
  principalId: "usr_00000000000000000000",
  projectName: "web",
  secretName: "DB_URL",
};

test("a sealed value opens for its target and for no other", async () => {
  const pair = await suite.kem.generateKeyPair();
  const publicKey = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey));
  const keys = {
    epoch: 1,
    notAfterMs: 0,
    signerNotAfterMs: 0,
    has: () => true,
    key: () => publicKey,
    answerKey: () => undefined,
    preferred: () => ({ keyId: "sealing-1", publicKey }),
  };
  const plaintext = Buffer.from("to be sealed");
  const sealed = await sealValue(plaintext, ValueKind.SINGLE, target, keys);
  expect(Buffer.from(sealed.ciphertext).includes(plaintext)).toBe(false);
  const open = (binding: WriteTarget & { kind: ValueKind }) =>
    suite.open(
      {
        recipientKey: pair.privateKey,
        enc: new Uint8Array(sealed.encapsulatedKey).buffer,
        info: new Uint8Array(writeInfo(binding)).buffer,
      },
      new Uint8Array(sealed.ciphertext).buffer,
    );
  expect(Buffer.from(await open({ ...target, kind: ValueKind.SINGLE })).toString()).toBe(
    "to be sealed",
  );
  const others = [
    { ...target, vaultId: "vlt_00000000000000000001" },
    { ...target, projectId: "prj_00000000000000000001" },
    { ...target, secretId: "sec_00000000000000000001" },
    { ...target, expectedVersion: 4 },
    { ...target, principalId: "usr_00000000000000000001" },
    { ...target, projectName: "billing" },
    { ...target, secretName: "API_KEY" },
    { ...target, projectName: "webD", secretName: "B_URL" },
  ];
  for (const other of others)
    await expect(open({ ...other, kind: ValueKind.SINGLE })).rejects.toThrow();
  await expect(open({ ...target, kind: ValueKind.FIELDS })).rejects.toThrow();
});
