import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { create } from "@bufbuild/protobuf";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { KeyUse, SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type SealedValue,
  SealedValueSchema,
} from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { readAad, readInfo, writeInfo } from "@sallyport/proto/signing";
import type { TrustedKeys } from "./keyset.ts";

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** The target of a sealed value; the receiver refuses it for any other (SIGNING §9). */
export type WriteTarget = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretId: string;
  /** The current version, 0 for a new secret. */
  readonly expectedVersion: number;
  readonly principalId: string;
  /** The project's name as the user gave it, not as an unsigned lookup returned it. */
  readonly projectName: string;
  /** The secret's name, of the same source. */
  readonly secretName: string;
};

/** Seals a plaintext to the deployment's sealing key, bound to its target (RFC 9180 base mode). */
export async function sealValue(
  plaintext: Uint8Array,
  kind: ValueKind,
  target: WriteTarget,
  keys: TrustedKeys,
): Promise<SealedValue> {
  const { keyId, publicKey } = keys.preferred(KeyUse.SEALING);
  const recipientPublicKey = await suite.kem.deserializePublicKey(bufferOf(publicKey));
  const info = bufferOf(writeInfo({ ...target, kind }));
  const sender = await suite.createSenderContext({ recipientPublicKey, info });
  const ciphertext = new Uint8Array(await sender.seal(bufferOf(plaintext)));
  return create(SealedValueSchema, {
    suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
    keyId,
    encapsulatedKey: new Uint8Array(sender.enc),
    ciphertext,
    kind,
  });
}

/** An ephemeral key pair for one read; the private half never leaves this object. */
export type Recipient = {
  readonly publicKey: Uint8Array;
  /** Opens the ciphertexts of one reply, in the order in which they were sealed. */
  open(
    encapsulatedKey: Uint8Array,
    requestDigest: Uint8Array,
  ): Promise<(secretId: string, version: number, ciphertext: Uint8Array) => Promise<Uint8Array>>;
};

/** Makes a recipient for one read. */
export async function createRecipient(): Promise<Recipient> {
  const pair = await suite.kem.generateKeyPair();
  const publicKey = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey));
  return {
    publicKey,
    async open(encapsulatedKey, requestDigest) {
      const info = bufferOf(readInfo(requestDigest));
      const context = await suite.createRecipientContext({
        recipientKey: pair.privateKey,
        enc: bufferOf(encapsulatedKey),
        info,
      });
      return async (secretId, version, ciphertext) =>
        new Uint8Array(
          await context.open(bufferOf(ciphertext), bufferOf(readAad(secretId, version))),
        );
    },
  };
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}
