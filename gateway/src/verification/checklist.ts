import { create } from "@bufbuild/protobuf";
import { type ParsedRequest, type SignedHead, parseRequest, verifyHead } from "@sallyport/evidence";
import { mayCall } from "@sallyport/roles";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type Credential,
  type CredentialClaims,
  type SignedRequest,
  SignedRequestSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { contentDigest } from "@sallyport/proto/signing";
import { sourceUnitOf } from "@sallyport/proto/address";
import type { Buckets } from "@sallyport/rate-limit";
import { Failure, fail } from "@sallyport/rpc";
import type { Rates } from "../limits/rates.ts";
import { limitsOf } from "../limits/method-limits.ts";
import { type LimitName, countLimit } from "../observability/metrics.ts";
import type { Place } from "../limits/concurrency-limiter.ts";
import type { KeyCache } from "./key-cache.ts";
import { type RequestHead, checkFrame, readSignedHead } from "./headers.ts";
import type { NonceStore } from "./nonces.ts";
import {
  type NamedKey,
  type Signer,
  type StrangerLimits,
  findSigner,
  namedKeyOf,
} from "./signer.ts";

/** A request as it arrives: its head, its source and a way to read its content. */
export type ArrivedRequest = RequestHead & {
  readonly sourceIp: string;
  /** What the client says it is: printable, at most 64 characters. */
  readonly client: string;
  /** Its place among those that are worked at, not yet taken. */
  readonly place: Pick<Place, "take" | "countFor">;
  /** Reads its content within the bound of its method. */
  readBody(): Promise<Uint8Array>;
};

/** A request whose signature held, once. */
export type VerifiedRequest = {
  readonly signedRequest: SignedRequest;
  readonly digest: Uint8Array;
  readonly keyId: string;
  /** Absent for a key that is not enrolled yet. */
  readonly principal:
    | { readonly credential: Credential; readonly claims: CredentialClaims }
    | undefined;
  readonly sourceIp: string;
  readonly client: string;
};

/** What the checklist needs. `clock` gives milliseconds. */
export type ChecklistParts = {
  readonly authorities: readonly string[];
  readonly windowSeconds: number;
  readonly clock: () => number;
  readonly addresses: Pick<Buckets, "take">;
  readonly newKeyAddresses: Pick<Buckets, "take">;
  readonly lookUpAddresses: Pick<Buckets, "take" | "giveBack">;
  readonly principalRates: Rates["principal"];
  readonly keys: Pick<KeyCache, "find">;
  readonly nonces: Pick<NonceStore, "admit">;
};

/** The steps of the checklist, as metrics name them; evidence that does not hold names its own. */
export type Step =
  | "path"
  | "method"
  | "address"
  | "head"
  | "created"
  | "content"
  | "place"
  | "content-digest"
  | "key"
  | "principal"
  | "admission"
  | "role";

/** The progress of one request, for the record of a refusal: what was known when it stopped. */
export type Progress = {
  /** Absent at the first step, the address. */
  step?: Step;
  /** As the request says, which anybody can. */
  claimedKeyId?: string;
  /** The same, once identity knows a principal of that name. */
  knownKeyId?: string;
  /** Set once the signature held. */
  digest?: Uint8Array;
  claims?: CredentialClaims;
  replayed?: boolean;
};

/**
 * The steps of gateway/README.md, cheapest first, then the role table; none can be skipped, because
 * each uses what the one before gives. Throws a Failure or an EvidenceError. Security: content is
 * read, and memory taken, only for a head that is in order; the nonce is stored only after the
 * signature holds, or strangers fill Redis.
 */
export async function verifyArrived(
  request: ArrivedRequest,
  parts: ChecklistParts,
  progress: Progress,
): Promise<VerifiedRequest> {
  const { sourceIp, client } = request;
  limitAddress(parts.addresses, sourceIp);
  const head = readHead(request, parts, progress);
  const body = await readContent(request, head.signed, progress);
  const signer = await verifySigner(head, parts, strangerLimits(parts, sourceIp), progress);
  progress.step = "place";
  const { principal } = signer;
  // Security: by its proven name; by the name that a request claims, strangers could use up its
  // share.
  if (principal) request.place.countFor(principal.claims.principalId);
  await admitOnce(head, principal, parts, progress);
  progress.step = "role";
  checkRole(head.signed.path, principal);
  const { keyId, digest } = head.parsed;
  const signedRequest = create(SignedRequestSchema, { ...head.signed, body });
  return { signedRequest, digest, keyId, principal, sourceIp, client };
}

type Head = {
  readonly signed: SignedHead;
  readonly parsed: ParsedRequest;
  readonly named: NamedKey;
  readonly nowMs: number;
};

function readHead(request: RequestHead, parts: ChecklistParts, progress: Progress): Head {
  progress.step = "head";
  const signed = readSignedHead(request);
  const parsed = parseRequest(signed);
  progress.claimedKeyId = parsed.keyId;
  const named = namedKeyOf(parsed.keyId, signed.path);
  progress.step = "created";
  const nowMs = parts.clock();
  const skewMs = Math.abs(nowMs - parsed.created * 1000);
  if (skewMs > parts.windowSeconds * 1000) throw clockSkew(nowMs);
  return { signed, parsed, named, nowMs };
}

async function readContent(
  request: ArrivedRequest,
  { contentType, contentDigest: digest }: SignedHead,
  progress: Progress,
): Promise<Uint8Array> {
  progress.step = "content";
  const body = await request.readBody();
  checkFrame(contentType, body);
  progress.step = "place";
  request.place.take();
  progress.step = "content-digest";
  if (contentDigest(body) !== digest)
    throw fail(Reason.REQUEST_REJECTED, {}, new Error("content-digest differs"));
  return body;
}

async function verifySigner(
  { signed, parsed, named, nowMs }: Head,
  { keys, authorities, windowSeconds }: ChecklistParts,
  strangers: StrangerLimits,
  progress: Progress,
): Promise<Signer> {
  progress.step = "key";
  const { keyId } = named;
  const signer = await findSigner(named, keys, strangers);
  const { publicKey, refusal, principal } = signer;
  if (principal || refusal !== Reason.UNSPECIFIED) progress.knownKeyId = keyId;
  const { digest } = verifyHead(signed, parsed, {
    publicKey,
    keyId,
    authorities,
    nowMs,
    windowSeconds,
  });
  progress.digest = digest;
  progress.step = "principal";
  // Only the holder of the key learns that its machine is expired or disabled.
  if (refusal !== Reason.UNSPECIFIED) throw fail(refusal);
  if (principal) progress.claims = principal.claims;
  return signer;
}

function strangerLimits(parts: ChecklistParts, sourceIp: string): StrangerLimits {
  const { newKeyAddresses, lookUpAddresses } = parts;
  return {
    tryNewKey: () => limitAddress(newKeyAddresses, sourceIp),
    lookUps: {
      take: () => limitAddress(lookUpAddresses, sourceIp),
      giveBack: () => lookUpAddresses.giveBack(sourceUnitOf(sourceIp)),
    },
  };
}

function limitAddress(limiter: Pick<Buckets, "take">, sourceIp: string): void {
  const waitMs = limiter.take(sourceUnitOf(sourceIp));
  if (waitMs > 0) throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: waitMs });
}

function clockSkew(nowMs: number, retryAfterMs?: number): Failure {
  const metadata = { server_time: new Date(nowMs).toISOString() };
  return new Failure(Reason.CLOCK_SKEW, { metadata, retryAfterMs });
}

type Claim = Parameters<NonceStore["admit"]>[0];
type Limit = NonNullable<Claim["limit"]> & { readonly name: LimitName };

function limitOf(
  path: string,
  principal: VerifiedRequest["principal"],
  rates: Rates["principal"],
): Limit | undefined {
  const rateClass = limitsOf(path).rate;
  if (!principal || rateClass === "none") return undefined;
  const bucket = `${rateClass}:${principal.claims.principalId}`;
  return { name: `principal_${rateClass}`, bucket, rate: rates[rateClass] };
}

async function admitOnce(
  { signed, parsed: { keyId, nonce, created: createdSeconds } }: Head,
  principal: VerifiedRequest["principal"],
  parts: ChecklistParts,
  progress: Progress,
): Promise<void> {
  progress.step = "admission";
  const limit = limitOf(signed.path, principal, parts.principalRates);
  const admission = await parts.nonces.admit({ keyId, nonce, createdSeconds, limit });
  switch (admission.kind) {
    case "admitted":
      if (limit) countLimit(limit.name, true);
      return;
    case "replayed":
      progress.replayed = true;
      throw fail(Reason.REQUEST_REJECTED, {}, new Error("the nonce was used before"));
    case "before-epoch":
      throw clockSkew(parts.clock(), admission.waitMs > 0 ? admission.waitMs : undefined);
    case "limited":
      if (limit) countLimit(limit.name, false);
      throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: admission.waitMs });
    default:
      throw new Error(`unknown admission ${String(admission satisfies never)}`);
  }
}

function checkRole(path: string, principal: VerifiedRequest["principal"]): void {
  if (!mayCall(path, principal?.claims)) throw fail(Reason.ROLE_REQUIRED);
}
