import {
  ReasonSchema,
  Reason,
  type Refusal,
} from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type AnswerClaims,
  AnswerClaimsSchema,
  type ReplyClaims,
  ReplyClaimsSchema,
  type ReplySecret,
  ValueKind,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { FormatError, fromStrictBinary } from "@sallyport/proto/signing";
import { SallyportError } from "./sallyport-error.ts";

const secretIdForm = /^sec_[0-9a-hjkmnp-tv-z]{20}$/;
const nextStepForm = /^[ -~]{0,200}$/;
const sha256Bytes = 32;

/**
 * Decodes a reply's payload strictly, after its signature was verified (SIGNING §10). Throws
 * REPLY_UNTRUSTED.
 */
export function decodeReplyClaims(payload: Uint8Array): ReplyClaims {
  const claims = decode("reply", () => fromStrictBinary(ReplyClaimsSchema, payload));
  const { requestDigest, secrets, nextPageToken } = claims;
  const page = nextPageToken === "" || secretIdForm.test(nextPageToken);
  const bounded = requestDigest.length === sha256Bytes && secrets.length <= 100 && page;
  if (!bounded || !secrets.every(isOutcome)) malformed("reply");
  return claims;
}

/**
 * Decodes an answer's payload strictly, after its signature was verified (SIGNING §11). Throws
 * REPLY_UNTRUSTED.
 */
export function decodeAnswerClaims(payload: Uint8Array): AnswerClaims {
  const claims = decode("answer", () => fromStrictBinary(AnswerClaimsSchema, payload));
  const { requestDigest, outcome, keysetEpoch } = claims;
  const bounded = requestDigest.length === sha256Bytes && keysetEpoch >= 1;
  if (!bounded || outcome.case === undefined) malformed("answer");
  if (outcome.case === "contentSha256" && outcome.value.length !== sha256Bytes) malformed("answer");
  if (outcome.case === "refusal" && !isRefusal(outcome.value)) malformed("answer");
  return claims;
}

function isRefusal({ reason, metadata, nextStep }: Refusal): boolean {
  const known = ReasonSchema.values.some(({ number }) => number === reason);
  const pairs = Object.entries(metadata);
  const bounded = pairs.length <= 8 && pairs.every(isPair) && nextStepForm.test(nextStep);
  return known && reason !== Reason.UNSPECIFIED && bounded;
}

function isPair([key, value]: [string, string]): boolean {
  return key !== "" && byteLength(key) <= 64 && byteLength(value) <= 512;
}

// Either refused, with all fields of a value empty, or opened, with all of them set.
function isOutcome({
  secretId,
  name,
  version,
  kind,
  refusal,
  contentSha256,
  receipt,
}: ReplySecret): boolean {
  if (!secretIdForm.test(secretId)) return false;
  if (refusal) {
    const empty = name === "" && version === 0 && kind === ValueKind.UNSPECIFIED && !receipt;
    return empty && contentSha256.length === 0 && isRefusal(refusal);
  }
  const named = name !== "" && byteLength(name) <= 128;
  const laidOut = kind === ValueKind.SINGLE || kind === ValueKind.FIELDS;
  return named && version > 0 && laidOut && contentSha256.length === sha256Bytes;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
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
  throw new SallyportError(
    "REPLY_UNTRUSTED",
    `the ${what} is signed, but not as the contract says`,
  );
}
