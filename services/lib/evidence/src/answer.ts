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
import { signEd25519 } from "./ed25519.ts";
import { pickPublished } from "./published.ts";
import type { Trust } from "./trust.ts";

/**
 * The key with which an owner signs its answers, and the epoch of the keyset that holds its public
 * half.
 */
export type AnswerKey = {
  readonly keyId: string;
  readonly seed: Uint8Array;
  readonly epoch: number;
};

/**
 * The signed outcome: the bytes of the response message, or the refusal with what the public may
 * know of it.
 */
export type AnswerOutcome =
  | { readonly case: "response"; readonly value: Uint8Array }
  | { readonly case: "refusal"; readonly value: Refusal };

/**
 * Picks the key that signs an owner's answers: the keyset's preferred one when the file has it,
 * else the first of the file that the keyset names as that owner's. Throws an Error with a sentence
 * for the operator when it names none, for no client would believe what they sign.
 */
export function pickAnswerKey(
  keys: readonly { readonly keyId: string; readonly key: Uint8Array }[],
  owner: AnswerOwner,
  trust: Pick<Trust, "answerKey" | "preferredAnswer" | "epoch"> & {
    readonly announcedEpoch?: number;
  },
): AnswerKey {
  const [first] = keys;
  if (!first) throw new Error("SALLYPORT_ANSWER_KEY_FILE holds no key");
  const find = (keyId: string): Uint8Array | undefined => trust.answerKey(owner, keyId);
  const picked = pickPublished(keys, { find, preferred: trust.preferredAnswer(owner) });
  if (!picked)
    throw new Error(
      `the keyset does not hold the answer key ${first.keyId} of ${owner}: sign a keyset with it ` +
        "first",
    );
  return { keyId: picked.keyId, seed: picked.key, epoch: trust.announcedEpoch ?? trust.epoch };
}

/** Signs the outcome of one request (SIGNING §11). Throws when the claims break their contract. */
export function signAnswer(
  requestDigest: Uint8Array,
  outcome: AnswerOutcome,
  { keyId, seed, epoch }: AnswerKey,
): SignedAnswer {
  const payload = encodeClaims(AnswerClaimsSchema, {
    requestDigest,
    outcome:
      outcome.case === "refusal"
        ? outcome
        : { case: "contentSha256", value: sha256(outcome.value) },
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
