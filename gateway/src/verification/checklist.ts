import { create } from "@bufbuild/protobuf";
import { parseRequest, verifyHead } from "@sallyport/evidence";
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
import type { ConcurrencyLimiter, ConcurrencySlot } from "../limits/concurrency-limiter.ts";
import type { ContentMemory, RequestMemory } from "../limits/content-memory.ts";
import { limitsOf } from "../limits/method-limits.ts";
import type { Rates } from "../limits/rates.ts";
import { type LimitName, countLimit } from "../observability/metrics.ts";
import { type RequestHead, checkFrame, readSignedHead } from "./headers.ts";
import type { KeyCache } from "./key-cache.ts";
import type { NonceStore } from "./nonces.ts";
import { type StrangerLimits, findSigner, namedKeyOf } from "./signer.ts";
import { type Known, at } from "./step-refusal.ts";

/** A request as it arrives: its head, its source and a way to read its content. */
export type ArrivedRequest = RequestHead & {
  readonly sourceIp: string;
  /** The client's own description: printable, at most 64 characters. */
  readonly client: string;
  /** Reads the content within the bound of its method, into memory that is taken first. */
  readBody(memory: RequestMemory): Promise<Uint8Array>;
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

/** The dependencies of the checklist. `clock` gives milliseconds. */
export type ChecklistParts = {
  readonly authorities: readonly string[];
  readonly windowSeconds: number;
  readonly clock: () => number;
  readonly addresses: Pick<Buckets, "take">;
  readonly newKeyAddresses: Pick<Buckets, "take">;
  readonly lookUpAddresses: Pick<Buckets, "take" | "giveBack">;
  readonly principalRates: Rates["principal"];
  readonly memory: Pick<ContentMemory, "open">;
  readonly concurrency: Pick<ConcurrencyLimiter, "acquire">;
  readonly keys: Pick<KeyCache, "find">;
  readonly nonces: Pick<NonceStore, "admit">;
};

/**
 * The steps of gateway/README.md, cheapest first, then the role table; none can be skipped, because
 * each uses the result of the one before. The memory and the concurrency slot that the request
 * takes are given back when `held` is disposed of. Throws a StepRefusal, whose cause is a Failure
 * or an EvidenceError.
 *
 * Security: content is read, and memory taken, only for a head that is in order. A principal's
 * share of the slots is counted once its signature holds: counting against the claimed key id would
 * let strangers exhaust the share of somebody else. The nonce is stored last for the same reason,
 * or strangers could fill Redis.
 */
export async function verifyArrived(
  request: ArrivedRequest,
  parts: ChecklistParts,
  held: Pick<AsyncDisposableStack, "use">,
): Promise<{ readonly request: VerifiedRequest; readonly slot: ConcurrencySlot }> {
  const { sourceIp, client } = request;
  await at("address", {}, () => limitAddress(parts.addresses, sourceIp));
  const signed = await at("head", {}, () => readSignedHead(request));
  const parsed = await at("head", {}, () => parseRequest(signed));
  const { path } = signed;
  const { keyId } = parsed;
  const claimed: Known = { claimedKeyId: keyId };
  const named = await at("head", claimed, () => namedKeyOf(keyId, path));
  const nowMs = parts.clock();
  await at("created", claimed, () => checkCreated(parsed.created, nowMs, parts.windowSeconds));
  const address = sourceUnitOf(sourceIp);
  const body = await at("content", claimed, async () => {
    const content = await request.readBody(held.use(parts.memory.open(address)));
    checkFrame(signed.contentType, content);
    return content;
  });
  const slot = await at("concurrency", claimed, () =>
    held.use(parts.concurrency.acquire(limitsOf(path).rate, address)),
  );
  await at("content-digest", claimed, () => checkContent(body, signed.contentDigest));
  const signer = await at("key", claimed, () =>
    findSigner(named, parts.keys, strangerLimits(parts, sourceIp)),
  );
  const { publicKey, refusal, principal } = signer;
  const isKnown = principal !== undefined || refusal !== Reason.UNSPECIFIED;
  const known = isKnown ? { ...claimed, knownKeyId: keyId } : claimed;
  const { authorities, windowSeconds } = parts;
  const { digest } = await at("key", known, () =>
    verifyHead(signed, parsed, { publicKey, keyId, authorities, nowMs, windowSeconds }),
  );
  // Only the holder of the key learns that its machine is expired or disabled.
  await at("principal", { ...known, digest }, () => {
    if (refusal !== Reason.UNSPECIFIED) throw fail(refusal);
  });
  const proven = { ...known, digest, ...(principal && { claims: principal.claims }) };
  await at("concurrency", proven, () => {
    if (principal) slot.countFor(principal.claims.principalId);
  });
  await at("admission", proven, () =>
    admitOnce(
      { keyId, nonce: parsed.nonce, createdSeconds: parsed.created },
      path,
      principal,
      parts,
    ),
  );
  await at("role", proven, () => checkRole(path, principal));
  const signedRequest = create(SignedRequestSchema, { ...signed, body });
  return { request: { signedRequest, digest, keyId, principal, sourceIp, client }, slot };
}

function checkCreated(createdSeconds: number, nowMs: number, windowSeconds: number): void {
  if (Math.abs(nowMs - createdSeconds * 1000) > windowSeconds * 1000) throw clockSkew(nowMs);
}

function checkContent(body: Uint8Array, digest: string): void {
  if (contentDigest(body) !== digest)
    throw fail(Reason.REQUEST_REJECTED, {}, new Error("content-digest differs"));
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

/** A nonce that was used before: the request is a replay. */
export class ReplayError extends Failure {}

async function admitOnce(
  claim: Omit<Claim, "limit">,
  path: string,
  principal: VerifiedRequest["principal"],
  parts: ChecklistParts,
): Promise<void> {
  const limit = limitOf(path, principal, parts.principalRates);
  const admission = await parts.nonces.admit({ ...claim, limit });
  switch (admission.kind) {
    case "admitted":
      if (limit) countLimit(limit.name, true);
      return;
    case "replayed":
      throw new ReplayError(Reason.REQUEST_REJECTED, {
        cause: new Error("the nonce was used before"),
      });
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
