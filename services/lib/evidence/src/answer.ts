import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  AnswerClaimsSchema,
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, answerPreimage } from "@sallyport/proto/signing";
import { encodeClaims } from "./claims.ts";
import { publicKeyOf, signEd25519 } from "./ed25519.ts";
import type { Trust } from "./trust.ts";

/** The key with which an owner signs its answers, and the epoch of the keyset that holds its public half. */
export type AnswerKey = { readonly keyId: string; readonly seed: Uint8Array; readonly epoch: number };

/** What is signed: the bytes of the response message, or the refusal with what the public may know of it. */
export type AnswerOutcome =
  | { readonly case: "response"; readonly value: Uint8Array }
  | { readonly case: "refusal"; readonly value: Refusal };

/**
 * Picks the key that signs an owner's answers: the first of its file. Throws an Error with a sentence for the operator
 * unless the keyset holds its public half as that owner's, for no client would believe what it signs.
 */
export function pickAnswerKey(
  keys: readonly { readonly keyId: string; readonly key: Uint8Array }[],
  owner: AnswerOwner,
  trust: Pick<Trust, "answerKey" | "epoch"> & { readonly announcedEpoch?: number },
): AnswerKey {
  const [preferred] = keys;
  if (!preferred) throw new Error("SALLYPORT_ANSWER_KEY_FILE holds no key");
  const { keyId, key: seed } = preferred;
  const published = trust.answerKey(owner, keyId);
  if (!published || Buffer.compare(published, publicKeyOf(seed)) !== 0)
    throw new Error(
      `the keyset does not hold the answer key ${keyId} of ${owner}: sign a keyset with it first`,
    );
  return { keyId, seed, epoch: trust.announcedEpoch ?? trust.epoch };
}

/** Signs the outcome of one request (SIGNING §11). Throws when the claims break their contract. */
export function signAnswer(
  requestDigest: Uint8Array,
  outcome: AnswerOutcome,
  { keyId, seed, epoch }: AnswerKey,
): SignedAnswer {
  const payload = encodeClaims(AnswerClaimsSchema, {
    requestDigest,
    outcome: outcome.case === "refusal" ? outcome : { case: "contentSha256", value: sha256(outcome.value) },
    keysetEpoch: epoch,
  });
  return create(SignedAnswerSchema, {
    payload,
    keyId,
    signature: signEd25519(seed, answerPreimage(payload)),
  });
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
