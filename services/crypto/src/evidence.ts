import {
  EvidenceError,
  type EvidenceStep,
  type Trust,
  openCredential,
  verifySignedRequest,
} from "@sallyport/evidence";
import type {
  Credential,
  CredentialClaims,
  SignedRequest,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** The inputs of verifying evidence. None of them comes from a caller. */
export type Verifier = {
  readonly trust: Trust;
  /** Our public names, such as "sallyport.example:8443". */
  readonly authorities: readonly string[];
  /** The largest difference of `created` from now, in seconds. */
  readonly windowSeconds: number;
  /** Unix milliseconds. */
  readonly clock: () => number;
};

// The gateway checked the time a moment ago by another clock: what it took at the edge of the
// window is good here too.
const clockSkewSeconds = 5;

/** Throws EvidenceError of the step unless it holds. */
export function demand(step: EvidenceStep, holds: boolean, otherwise: string): void {
  if (!holds) throw new EvidenceError(step, otherwise);
}

/** Returns a part of the evidence. Throws EvidenceError of the step when it is missing. */
export function present<T>(step: EvidenceStep, part: T | undefined): T {
  if (part === undefined) throw new EvidenceError(step, "it is missing");
  return part;
}

/** Reads identity's fresh statement about the signer. Throws EvidenceError ("credential"). */
export function checkCredential(
  credential: Credential | undefined,
  { trust }: Verifier,
  nowMs: number,
): CredentialClaims {
  return openCredential(present("credential", credential), trust, nowMs);
}

/**
 * Proves that the credential's key signed this request, for us, just now, and returns the request
 * digest. Throws EvidenceError ("signature", "binding", "method", "authority", "path", "created",
 * "content-type", "content-digest").
 */
export function checkSignature(
  signed: SignedRequest,
  { publicKey, keyId }: CredentialClaims,
  { authorities, windowSeconds }: Verifier,
  nowMs: number,
): Uint8Array {
  const expected = {
    publicKey,
    keyId,
    authorities,
    nowMs,
    windowSeconds: windowSeconds + clockSkewSeconds,
  };
  return verifySignedRequest(signed, expected).digest;
}

/**
 * Tells whether two byte strings are the same. For what is public: it takes as long as they agree.
 */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
