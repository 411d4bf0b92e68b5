import { readFileSync } from "node:fs";
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { create, fromBinary } from "@bufbuild/protobuf";
import { KeysetSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadSecretsResponseSchema } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { readAad, readInfo } from "@sallyport/proto/signing";
import { expect, test } from "vitest";
import { type TrustedKeys, verifyKeyset } from "./keyset.ts";
import { type OpenedReply, openReply } from "./reply.ts";
import type { Recipient } from "./seal.ts";

type Signed = { readonly payload: string; readonly signature: string };
type KeysetVector = Signed & { readonly rootPublicKey: string; readonly signer?: Signed };
type ReplyVector = {
  readonly name: string;
  readonly section: string;
  readonly secretIds: readonly string[];
  readonly version: number;
  readonly response: string;
};
type Refused = { readonly name: string; readonly section: string; readonly step: string };
type Value = {
  readonly secretId: string;
  readonly name: string;
  readonly version: number;
  readonly value: string;
};
type File = {
  readonly rootFingerprint: string;
  readonly nowSeconds: number;
  readonly smallestEpoch: number;
  readonly keysetsValid: readonly (KeysetVector & { readonly name: string })[];
  readonly keysetsInvalid: readonly (KeysetVector & Refused)[];
  readonly keyset: KeysetVector;
  readonly requestDigest: string;
  readonly recipientPrivateKey: string;
  readonly repliesValid: readonly (ReplyVector & {
    readonly values: readonly Value[];
    readonly nextPageToken: string;
  })[];
  readonly repliesInvalid: readonly (ReplyVector & Refused)[];
};

const path = new URL("../../../../test/vectors/signing/replies.json", import.meta.url);
const file = JSON.parse(readFileSync(path, "utf8")) as File;
const requestDigest = Buffer.from(file.requestDigest, "hex");
const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

function trust({ payload, rootPublicKey, signature, signer }: KeysetVector): Promise<TrustedKeys> {
  const keyset = create(KeysetSchema, {
    payload: Buffer.from(payload, "base64"),
    rootPublicKey: Buffer.from(rootPublicKey, "base64"),
    signature: Buffer.from(signature, "base64"),
    ...(signer && {
      signer: {
        payload: Buffer.from(signer.payload, "base64"),
        signature: Buffer.from(signer.signature, "base64"),
      },
    }),
  });
  return verifyKeyset(keyset, file.rootFingerprint, file.nowSeconds * 1000, file.smallestEpoch);
}

/** The recipient whose private key the vectors name. */
const recipient: Recipient = {
  publicKey: new Uint8Array(32),
  async open(encapsulatedKey, digest) {
    const recipientKey = await suite.kem.deserializePrivateKey(
      buffer(Buffer.from(file.recipientPrivateKey, "base64")),
    );
    const enc = buffer(encapsulatedKey);
    const context = await suite.createRecipientContext({
      recipientKey,
      enc,
      info: buffer(readInfo(digest)),
    });
    return async (secretId, version, ciphertext) =>
      new Uint8Array(await context.open(buffer(ciphertext), buffer(readAad(secretId, version))));
  },
};

function buffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

async function open({ secretIds, version, response }: ReplyVector): Promise<OpenedReply> {
  const reply = fromBinary(ReadSecretsResponseSchema, Buffer.from(response, "base64"));
  return openReply(
    reply,
    { secretIds, version, requestDigest },
    await trust(file.keyset),
    recipient,
  );
}

test.each(file.keysetsValid)("a keyset that holds: $name", async (vector) => {
  expect((await trust(vector)).epoch).toBeGreaterThanOrEqual(file.smallestEpoch);
});

test.each(file.keysetsInvalid)(
  "SIGNING §$section, a keyset refused at $step: $name",
  async (vector) => {
    const reason = vector.step === "root" ? "ROOT_CHANGED" : "REPLY_UNTRUSTED";
    await expect(trust(vector)).rejects.toMatchObject({ reason });
  },
);

test.each(file.repliesValid)("a reply that holds: $name", async (vector) => {
  const { results, nextPageToken } = await open(vector);
  const values = results.flatMap((result) =>
    result.kind === "value"
      ? [
          {
            secretId: result.secretId,
            name: result.name,
            version: result.version,
            value: Buffer.from(result.plaintext).toString("base64"),
          },
        ]
      : [],
  );
  expect({ values, nextPageToken }).toEqual({
    values: vector.values,
    nextPageToken: vector.nextPageToken,
  });
});

test.each(file.repliesInvalid)(
  "SIGNING §$section, a reply refused at $step: $name",
  async (vector) => {
    await expect(open(vector)).rejects.toMatchObject({ reason: "REPLY_UNTRUSTED" });
  },
);
