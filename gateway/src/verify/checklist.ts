import { create } from "@bufbuild/protobuf";
import { parseRequest, verifySignedRequest } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type Credential,
  type CredentialClaims,
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentDigest } from "@sallyport/proto/signing";
import { Failure, fail } from "@sallyport/rpc";
import { limitKeyOf, principalRateOf } from "../limits.ts";
import { newKeyPaths } from "../routes.ts";
import type { KeyCache } from "./credentials.ts";
import { type RequestHead, checkContentType, readSignedHead } from "./headers.ts";
import type { NonceStore } from "./nonces.ts";

/** A request as it arrives: its head, its source and a way to read its content. */
export type ArrivedRequest = RequestHead & {
  readonly sourceIp: string;
  readBody(): Promise<Uint8Array>;
};

/** A request whose signature held, once. */
export type VerifiedRequest = {
  readonly signedRequest: SignedRequest;
  readonly digest: Uint8Array;
  readonly keyId: string;
  /** Absent for a key that is not enrolled yet. */
  readonly principal: { readonly credential: Credential; readonly claims: CredentialClaims } | undefined;
  readonly sourceIp: string;
};

/** What the checklist needs. Rates come from limits.ts, `clock` gives milliseconds. */
export type ChecklistParts = {
  readonly authorities: readonly string[];
  readonly windowSeconds: number;
  readonly clock: () => number;
  readonly addresses: { take(address: string): number };
  readonly newKeyAddresses: { take(address: string): number };
  readonly keys: Pick<KeyCache, "find">;
  readonly nonces: Pick<NonceStore, "admit">;
};

/** The progress of one request, for the record of a refusal: what was known when it stopped. */
export type Progress = { keyId?: string; digest?: Uint8Array; claims?: CredentialClaims; replayed?: boolean };

/**
 * The steps of DESIGN §3.1, cheapest first; none can be skipped, because each uses what the one before gives. Throws a
 * Failure or an EvidenceError. Security: the nonce is stored only after the signature holds, or strangers fill Redis.
 */
export async function verifyArrived(
  request: ArrivedRequest,
  parts: ChecklistParts,
  progress: Progress,
): Promise<VerifiedRequest> {
  limitAddress(parts.addresses, request.sourceIp);
  const body = await request.readBody();
  const head = readSignedHead(request);
  checkContentType(head.contentType, request.rawHeaders);
  const signedRequest = create(SignedRequestSchema, { ...head, body });
  const { keyId, created, nonce } = parseRequest(signedRequest);
  progress.keyId = keyId;
  checkCreated(created, parts);
  checkDigest(head.contentDigest, body);
  const key = await findKey(keyId, head.path, request.sourceIp, parts);
  const { digest } = verifySignedRequest(signedRequest, {
    publicKey: key.publicKey,
    keyId,
    authorities: parts.authorities,
    nowMs: parts.clock(),
    windowSeconds: parts.windowSeconds,
  });
  progress.digest = digest;
  // Only the holder of the key learns that its machine is expired or disabled.
  if (key.refusal !== Reason.UNSPECIFIED) throw fail(key.refusal);
  if (key.principal) progress.claims = key.principal.claims;
  await admitOnce({ keyId, nonce, createdSeconds: created, rate: principalRateOf(head.path) }, parts, progress);
  return { signedRequest, digest, keyId, principal: key.principal, sourceIp: request.sourceIp };
}

function limitAddress(limiter: { take(address: string): number }, sourceIp: string): void {
  const waitMs = limiter.take(limitKeyOf(sourceIp));
  if (waitMs > 0) throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: waitMs });
}

function clockSkew(nowMs: number) {
  return fail(Reason.CLOCK_SKEW, { server_time: new Date(nowMs).toISOString() });
}

function checkCreated(createdSeconds: number, { clock, windowSeconds }: ChecklistParts): void {
  const nowMs = clock();
  if (Math.abs(nowMs / 1000 - createdSeconds) > windowSeconds) throw clockSkew(nowMs);
}

function checkDigest(header: string, body: Uint8Array): void {
  if (contentDigest(body) !== header) throw fail(Reason.REQUEST_REJECTED, {}, new Error("content-digest differs"));
}

type SignerKey = {
  readonly publicKey: Uint8Array;
  readonly refusal: Reason;
  readonly principal: VerifiedRequest["principal"];
};

async function findKey(keyId: string, path: string, sourceIp: string, parts: ChecklistParts): Promise<SignerKey> {
  if (keyId.startsWith("key:")) {
    if (!newKeyPaths.has(path)) throw fail(Reason.REQUEST_REJECTED, {}, new Error("the key is not enrolled"));
    limitAddress(parts.newKeyAddresses, sourceIp);
    const publicKey = new Uint8Array(Buffer.from(keyId.slice(4), "base64url"));
    return { publicKey, refusal: Reason.UNSPECIFIED, principal: undefined };
  }
  const known = await parts.keys.find(keyId);
  if (!known) throw fail(Reason.REQUEST_REJECTED, {}, new Error("the keyid is unknown"));
  const { resolved, claims } = known;
  const principal = resolved.credential && claims ? { credential: resolved.credential, claims } : undefined;
  const refusal = principal ? Reason.UNSPECIFIED : resolved.refusal || Reason.MACHINE_DISABLED;
  return { publicKey: resolved.publicKey, refusal, principal };
}

async function admitOnce(
  claim: Parameters<NonceStore["admit"]>[0],
  parts: ChecklistParts,
  progress: Progress,
): Promise<void> {
  const admission = await parts.nonces.admit(claim);
  switch (admission.kind) {
    case "admitted":
      return;
    case "replayed":
      progress.replayed = true;
      throw fail(Reason.REQUEST_REJECTED, {}, new Error("the nonce was used before"));
    case "before-epoch":
      throw clockSkew(parts.clock());
    case "limited":
      throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: admission.retryAfterMs });
    default:
      throw new Error(`unknown admission ${String(admission satisfies never)}`);
  }
}

