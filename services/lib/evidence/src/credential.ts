import { type MessageInitShape, create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type Credential,
  type CredentialClaims,
  CredentialClaimsSchema,
  CredentialSchema,
  KeyUse,
  PrincipalKind,
  Role,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { LABELS, labelled, parseKeyId } from "@sallyport/proto/signing";
import { checkExpiry, decodeClaims, encodeClaims, maxSkewMs } from "./claims.ts";
import { signEd25519, verifyEd25519 } from "./ed25519.ts";
import { EvidenceError, atStep } from "@sallyport/proto/verifying";
import type { Trust } from "./trust.ts";

/** The longest that a credential may live, in milliseconds. */
export const credentialLifetimeMs = 60_000;

/**
 * Signs a credential with identity's key (SIGNING §10). Throws when the claims break their
 * contract.
 */
export function signCredential(
  claims: MessageInitShape<typeof CredentialClaimsSchema>,
  { keyId, seed }: { readonly keyId: string; readonly seed: Uint8Array },
): Credential {
  const payload = encodeClaims(CredentialClaimsSchema, claims);
  const signature = signEd25519(seed, labelled(LABELS.credential, payload));
  return create(CredentialSchema, { payload, keyId, signature });
}

/**
 * Verifies a credential under identity's key of the keyset and reads it: at most 60 seconds old,
 * kind, role and keyid consistent. Throws EvidenceError ("credential").
 */
export function openCredential(
  { payload, keyId, signature }: Credential,
  trust: Pick<Trust, "publicKey" | "notAfterMs">,
  nowMs: number,
): CredentialClaims {
  if (nowMs >= trust.notAfterMs) throw refused("the keyset is past its time");
  const publicKey = trust.publicKey(KeyUse.CREDENTIAL, keyId);
  if (!publicKey) throw refused("the keyset does not have its key");
  if (!verifyEd25519(publicKey, labelled(LABELS.credential, payload), signature)) {
    throw refused("the signature does not hold");
  }
  const claims = decodeClaims("credential", CredentialClaimsSchema, payload);
  checkTimes(claims, nowMs);
  checkPrincipal(claims);
  return claims;
}

function refused(message: string): EvidenceError {
  return new EvidenceError("credential", message);
}

function checkTimes({ issuedAt, expiresAt }: CredentialClaims, nowMs: number): void {
  checkExpiry("credential", expiresAt, nowMs, credentialLifetimeMs);
  const issuedMs = issuedAt ? timestampMs(issuedAt) : 0;
  const expiresMs = expiresAt ? timestampMs(expiresAt) : 0;
  if (issuedMs > nowMs + maxSkewMs) throw refused("it was issued in the future");
  if (expiresMs - issuedMs > credentialLifetimeMs) throw refused("it lives longer than it may");
}

function checkPrincipal({ kind, role, keyId, principalId }: CredentialClaims): void {
  const named = atStep("credential", () => parseKeyId(keyId));
  const known = kind === PrincipalKind.MACHINE ? "machine" : "user";
  if (named.kind !== known || named.principalId !== principalId)
    throw refused("keyid and principal do not agree");
  if ((kind === PrincipalKind.MACHINE) !== (role === Role.UNSPECIFIED))
    throw refused("kind and role do not agree");
}
