import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ReasonSchema, Reason, type Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type AnswerClaims,
  AnswerClaimsSchema,
  KeyUse,
  type KeysetClaims,
  KeysetClaimsSchema,
  type PublicKey,
  type ReplyClaims,
  ReplyClaimsSchema,
  type ReplySecret,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { FormatError, answerOwners, fromStrictBinary } from "@sallyport/proto/signing";
import { SallyportError } from "./sallyport-error.ts";

const uses: readonly KeyUse[] = [KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG, KeyUse.ANSWER];
const keyIdForm = /^[a-z0-9-]{1,64}$/;
const secretIdForm = /^sec_[0-9a-hjkmnp-tv-z]{20}$/;
const sha256Bytes = 32;

/** Decodes a keyset's payload strictly, after its signature held (SIGNING §10). Throws REPLY_UNTRUSTED. */
export function decodeKeysetClaims(payload: Uint8Array): KeysetClaims {
  const claims = decode("keyset", () => fromStrictBinary(KeysetClaimsSchema, payload));
  const { epoch, notAfter, keys } = claims;
  const names = new Set(keys.map(({ use, keyId }) => `${use} ${keyId}`));
  const complete =
    uses.every((use) => keys.some((key) => key.use === use)) &&
    answerOwners.every((owner) => keys.some(({ holder }) => holder === owner));
  if (epoch < 1 || !notAfter || !Number.isFinite(timestampMs(notAfter)) || keys.length > 32)
    malformed("keyset");
  if (names.size !== keys.length || !complete || !keys.every(isKey)) malformed("keyset");
  return claims;
}

/** Decodes a reply's payload strictly, after its signature held (SIGNING §10). Throws REPLY_UNTRUSTED. */
export function decodeReplyClaims(payload: Uint8Array): ReplyClaims {
  const claims = decode("reply", () => fromStrictBinary(ReplyClaimsSchema, payload));
  const { requestDigest, secrets, nextPageToken } = claims;
  const page = nextPageToken === "" || secretIdForm.test(nextPageToken);
  const bounded = requestDigest.length === sha256Bytes && secrets.length <= 100 && page;
  if (!bounded || !secrets.every(isOutcome)) malformed("reply");
  return claims;
}

/** Decodes an answer's payload strictly, after its signature held (SIGNING §11). Throws REPLY_UNTRUSTED. */
export function decodeAnswerClaims(payload: Uint8Array): AnswerClaims {
  const claims = decode("answer", () => fromStrictBinary(AnswerClaimsSchema, payload));
  const { requestDigest, outcome, keysetEpoch } = claims;
  const bounded = requestDigest.length === sha256Bytes && keysetEpoch >= 1;
  if (!bounded || outcome.case === undefined) malformed("answer");
  if (outcome.case === "contentSha256" && outcome.value.length !== sha256Bytes) malformed("answer");
  if (outcome.case === "refusal" && !isRefusal(outcome.value)) malformed("answer");
  return claims;
}

function isRefusal({ reason, metadata }: Refusal): boolean {
  const known = ReasonSchema.values.some(({ number }) => number === reason);
  return known && reason !== Reason.UNSPECIFIED && Object.keys(metadata).length <= 8;
}

// An answer key names its holder, and no other key does.
function isKey({ keyId, use, publicKey, holder }: PublicKey): boolean {
  const held = use === KeyUse.ANSWER ? answerOwners.some((owner) => owner === holder) : holder === "";
  return keyIdForm.test(keyId) && uses.includes(use) && publicKey.length === 32 && held;
}

// Either refused, with nothing in it, or opened, with everything.
function isOutcome({ secretId, name, version, kind, refusal, contentSha256 }: ReplySecret): boolean {
  const known = ReasonSchema.values.some(({ number }) => number === refusal);
  if (!secretIdForm.test(secretId) || !known) return false;
  if (refusal !== Reason.UNSPECIFIED)
    return name === "" && version === 0 && kind === ValueKind.UNSPECIFIED && contentSha256.length === 0;
  const named = name !== "" && Buffer.byteLength(name) <= 128;
  const laidOut = kind === ValueKind.SINGLE || kind === ValueKind.FIELDS;
  return named && version > 0 && laidOut && contentSha256.length === sha256Bytes;
}

function decode<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof FormatError) malformed(what);
    throw error;
  }
}

function malformed(what: string): never {
  throw new SallyportError("REPLY_UNTRUSTED", `the ${what} is signed, but not as the contract says`);
}
