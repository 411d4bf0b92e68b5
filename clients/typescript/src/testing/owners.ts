import { createHash } from "node:crypto";
import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Interceptor } from "@connectrpc/connect";
import {
  AnswerClaimsSchema,
  KeyUse,
  type Keyset,
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AnswerOwner,
  answerHeader,
  answerOwnerOf,
  answerOwners,
  answerPreimage,
  parseSignatureInput,
  requestDigest,
  rootFingerprint,
  signKeyset,
  signKeysetSigner,
  signatureBase,
} from "@sallyport/proto/signing";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "../node/keys.ts";

type Outcome = NonNullable<MessageInitShape<typeof AnswerClaimsSchema>["outcome"]>;

/** The owners of a test deployment: its keyset, and the signer of each of them. */
export type TestOwners = {
  readonly keyset: Keyset;
  readonly rootFingerprint: string;
  sign(owner: AnswerOwner, digest: Uint8Array, outcome: Outcome, keyId?: string): SignedAnswer;
  /** Signs every response of a server as its owner would. */
  readonly signing: Interceptor;
};

/**
 * Makes the owners, with their own root. Answers name the epoch of the keyset unless another is
 * given.
 */
export function createTestOwners(
  epoch = 1,
  root = privateKeyOf(newSeed()),
  named = () => epoch,
): TestOwners {
  const seeds = new Map(answerOwners.map((owner) => [owner, privateKeyOf(newSeed())]));
  const uses = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG];
  const keys = [
    ...uses.map((use) => ({ keyId: `key-${use}`, use, publicKey: new Uint8Array(32).fill(use) })),
    ...[...seeds].map(([holder, key]) => ({
      keyId: `answer-${holder}-${epoch}`,
      use: KeyUse.ANSWER,
      holder,
      publicKey: rawPublicKey(key),
    })),
  ];
  const notAfter = timestampFromMs(Date.now() + 3_600_000);
  const rootPublicKey = rawPublicKey(root);
  const key = { publicKey: rootPublicKey, sign: (message: Uint8Array) => signBytes(root, message) };
  const signer = signKeysetSigner(key, {
    keyId: "signer-1",
    publicKey: rootPublicKey,
    notBefore: timestampFromMs(0),
    notAfter,
    minEpoch: 1,
    maxEpoch: 1000,
  });
  const sign: TestOwners["sign"] = (owner, digest, outcome, keyId = `answer-${owner}-${epoch}`) => {
    const key = seeds.get(owner);
    if (!key) throw new Error("no owner");
    const claims = toBinary(
      AnswerClaimsSchema,
      create(AnswerClaimsSchema, { requestDigest: digest, outcome, keysetEpoch: named() }),
    );
    const signed = signBytes(key, answerPreimage(claims));
    return create(SignedAnswerSchema, { payload: claims, keyId, signature: signed });
  };
  return {
    keyset: signKeyset(key, { rootPublicKey, signer }, { epoch, notAfter, keys }),
    rootFingerprint: rootFingerprint(rootPublicKey),
    sign,
    signing: (next) => async (request) => {
      const response = await next(request);
      const owner = answerOwnerOf(new URL(request.url).pathname);
      if (response.stream || !owner || owner === "itself") return response;
      const content = toBinary(response.method.output, response.message);
      const value = new Uint8Array(createHash("sha256").update(content).digest());
      const answer = sign(owner, digestOf(request), { case: "contentSha256", value });
      response.header.set(answerHeader, headerOf(answer));
      return response;
    },
  };
}

/** Returns a signed answer as in the header. */
export function headerOf(answer: SignedAnswer): string {
  return Buffer.from(toBinary(SignedAnswerSchema, answer)).toString("base64url");
}

/** Returns the digest of a request as its client signed it (SIGNING §6). */
export function digestOf({
  url,
  header,
}: {
  readonly url: string;
  readonly header: Headers;
}): Uint8Array {
  const { host, pathname } = new URL(url);
  const { signatureParams } = parseSignatureInput(header.get("signature-input") ?? "");
  return requestDigest(
    signatureBase({
      method: "POST",
      authority: host,
      path: pathname,
      contentType: header.get("content-type") ?? "",
      contentDigest: header.get("content-digest") ?? "",
      signatureParams,
    }),
  );
}
