import { type MessageInitShape, create } from "@bufbuild/protobuf";
import {
  type Permit,
  type PermitClaims,
  PermitClaimsSchema,
  PermitSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { LABELS } from "@sallyport/proto/signing";
import { checkExpiry, decodeClaims, encodeClaims } from "./claims.ts";
import { type MacKey, checkVouched, vouch } from "./macs.ts";

/** The longest that a permit may live, in milliseconds. */
export const permitLifetimeMs = 10_000;

/**
 * Seals a permit with policy's first permit key (SIGNING §10). Throws when the claims break their
 * contract.
 */
export function sealPermit(
  claims: MessageInitShape<typeof PermitClaimsSchema>,
  keys: readonly MacKey[],
): Permit {
  return create(PermitSchema, vouch(LABELS.permit, encodeClaims(PermitClaimsSchema, claims), keys));
}

/** Checks a permit's MAC and its 10 seconds, and reads it. Throws EvidenceError ("permit"). */
export function openPermit(permit: Permit, keys: readonly MacKey[], nowMs: number): PermitClaims {
  checkVouched("permit", LABELS.permit, permit, keys);
  const claims = decodeClaims("permit", PermitClaimsSchema, permit.payload);
  checkExpiry("permit", claims.expiresAt, nowMs, permitLifetimeMs);
  return claims;
}
