import { fromBinary } from "@bufbuild/protobuf";
import { mayGatewayRefuse } from "@sallyport/proto/errors";
import { ReasonSchema, type Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type AnswerClaims,
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type AnswerOwner, answerPreimage, equalBytes, sha256 } from "@sallyport/proto/signing";
import { base64urlnopad } from "@scure/base";
import { decodeAnswerClaims } from "./claims.ts";
import { ed25519 } from "./ed25519.ts";
import type { TrustedKeys } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";

/** The request that an answer must belong to: its digest, and the owner of its method. */
export type AskedOwner = { readonly owner: AnswerOwner; readonly requestDigest: Uint8Array };

/** A refusal as in the public error. */
export type ToldRefusal = {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Reads the header of a signed answer. Throws REPLY_UNTRUSTED when it is missing or malformed. */
export function readAnswerHeader(header: string | null, { owner }: AskedOwner): SignedAnswer {
  if (header === null) return distrust(`${owner} did not sign it`);
  try {
    return fromBinary(SignedAnswerSchema, base64urlnopad.decode(header));
  } catch {
    return distrust("its signature is malformed");
  }
}

/**
 * Verifies that the owner answered exactly this request with these bytes (SIGNING §11). Throws
 * REPLY_UNTRUSTED.
 */
export async function verifyContent(
  signed: SignedAnswer,
  content: Uint8Array,
  asked: AskedOwner,
  keys: TrustedKeys,
): Promise<void> {
  const { outcome } = await verifiedClaims(signed, asked, keys);
  if (outcome.case !== "contentSha256") return distrust(`${asked.owner} refused the request`);
  if (!equalBytes(sha256(content), outcome.value)) distrust(`it is not what ${asked.owner} signed`);
}

/**
 * Verifies that the owner refused exactly this request, for this reason (SIGNING §11). Returns
 * false for an unsigned refusal with a reason for which a gateway may refuse without the owner.
 * Throws REPLY_UNTRUSTED.
 */
export async function verifyRefusal(
  signed: SignedAnswer | undefined,
  told: ToldRefusal,
  asked: AskedOwner,
  keys: TrustedKeys,
): Promise<boolean> {
  if (!signed && mayGatewayRefuse(told.reason, told.metadata)) return false;
  if (!signed) return distrust(`${asked.owner} did not sign the refusal ${told.reason}`);
  const { outcome } = await verifiedClaims(signed, asked, keys);
  if (outcome.case !== "refusal") return distrust(`${asked.owner} did not refuse the request`);
  if (!agrees(outcome.value, told)) distrust(`it is not the refusal that ${asked.owner} signed`);
  return true;
}

/**
 * Returns the epoch that an answer names; to be called only for an answer that is verified already.
 */
export function epochOf({ payload }: SignedAnswer): number {
  return decodeAnswerClaims(payload).keysetEpoch;
}

async function verifiedClaims(
  { payload, keyId, signature }: SignedAnswer,
  { owner, requestDigest }: AskedOwner,
  keys: TrustedKeys,
): Promise<AnswerClaims> {
  const publicKey = keys.answerKey(owner, keyId);
  if (!publicKey || !(await ed25519.verify(publicKey, answerPreimage(payload), signature)))
    return distrust(`the signature of ${owner} does not hold`);
  const claims = decodeAnswerClaims(payload);
  if (!equalBytes(claims.requestDigest, requestDigest)) distrust("it answers another request");
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
