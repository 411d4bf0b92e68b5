import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { mayGatewayRefuse } from "@sallyport/proto/errors";
import { ReasonSchema, type Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type AnswerClaims,
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type AnswerOwner, answerPreimage } from "@sallyport/proto/signing";
import { decodeAnswerClaims } from "./claims.ts";
import { verifyBytes } from "../node/keys.ts";
import type { TrustedKeys } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";

/** What an answer must be to: a request by its digest, of a method of that owner. */
export type AskedOwner = { readonly owner: AnswerOwner; readonly requestDigest: Uint8Array };

/** A refusal as the public error has it. */
export type ToldRefusal = {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Reads the header of a signed answer. Throws REPLY_UNTRUSTED without one, or when it is none. */
export function readAnswerHeader(header: string | null, { owner }: AskedOwner): SignedAnswer {
  if (header === null) return distrust(`${owner} did not sign it`);
  const bytes = Buffer.from(header, "base64url");
  try {
    if (bytes.toString("base64url") === header) return fromBinary(SignedAnswerSchema, bytes);
  } catch {
    // As one that is no base64url.
  }
  return distrust("its signature is malformed");
}

/**
 * Verifies that the owner answered this very request with these bytes (SIGNING §11). Throws
 * REPLY_UNTRUSTED.
 */
export function verifyContent(
  signed: SignedAnswer,
  content: Uint8Array,
  asked: AskedOwner,
  keys: TrustedKeys,
): void {
  const { outcome } = verifiedClaims(signed, asked, keys);
  if (outcome.case !== "contentSha256") return distrust(`${asked.owner} refused the request`);
  const digest = createHash("sha256").update(content).digest();
  if (digest.compare(outcome.value) !== 0) distrust(`it is not what ${asked.owner} signed`);
}

/**
 * Verifies that the owner refused this very request, for this reason (SIGNING §11), and tells
 * whether it did: for some reasons a gateway refuses by itself, and then nobody signs. Throws
 * REPLY_UNTRUSTED.
 */
export function verifyRefusal(
  signed: SignedAnswer | undefined,
  told: ToldRefusal,
  asked: AskedOwner,
  keys: TrustedKeys,
): boolean {
  if (!signed && mayGatewayRefuse(told.reason, told.metadata)) return false;
  if (!signed) return distrust(`${asked.owner} did not sign the refusal ${told.reason}`);
  const { outcome } = verifiedClaims(signed, asked, keys);
  if (outcome.case !== "refusal") return distrust(`${asked.owner} did not refuse the request`);
  if (!agrees(outcome.value, told)) distrust(`it is not the refusal that ${asked.owner} signed`);
  return true;
}

/** The epoch that an answer names, which was verified before; to be asked for nothing else. */
export function epochOf({ payload }: SignedAnswer): number {
  return decodeAnswerClaims(payload).keysetEpoch;
}

function verifiedClaims(
  { payload, keyId, signature }: SignedAnswer,
  { owner, requestDigest }: AskedOwner,
  keys: TrustedKeys,
): AnswerClaims {
  const publicKey = keys.answerKey(owner, keyId);
  if (!publicKey || !verifyBytes(publicKey, answerPreimage(payload), signature))
    return distrust(`the signature of ${owner} does not hold`);
  const claims = decodeAnswerClaims(payload);
  if (Buffer.compare(claims.requestDigest, requestDigest) !== 0)
    distrust("it answers another request");
  return claims;
}

function agrees({ reason, metadata }: Refusal, told: ToldRefusal): boolean {
  const names = Object.keys(metadata);
  return (
    enumName(ReasonSchema, reason) === told.reason &&
    names.length === Object.keys(told.metadata).length &&
    names.every((name) => metadata[name] === told.metadata[name])
  );
}

function distrust(what: string): never {
  throw new SallyportError("REPLY_UNTRUSTED", `the answer cannot be trusted: ${what}`);
}
