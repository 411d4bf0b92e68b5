import { type MessageInitShape, create } from "@bufbuild/protobuf";
import {
  type Slip,
  type SlipClaims,
  SlipClaimsSchema,
  SlipSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { LABELS } from "@sallyport/proto/signing";
import { checkExpiry, decodeClaims, encodeClaims } from "./claims.ts";
import { type MacKey, checkVouched, vouch } from "./macs.ts";

/** The longest that a slip may live, in milliseconds. */
export const slipLifetimeMs = 10_000;

/**
 * Seals a slip with the first slip key of secrets (SIGNING §10). Throws when the claims break their
 * contract.
 */
export function sealSlip(
  claims: MessageInitShape<typeof SlipClaimsSchema>,
  keys: readonly MacKey[],
): Slip {
  return create(SlipSchema, vouch(LABELS.slip, encodeClaims(SlipClaimsSchema, claims), keys));
}

/** Checks a slip's MAC and its 10 seconds, and reads it. Throws EvidenceError ("slip"). */
export function openSlip(slip: Slip, keys: readonly MacKey[], nowMs: number): SlipClaims {
  checkVouched("slip", LABELS.slip, slip, keys);
  const claims = decodeClaims("slip", SlipClaimsSchema, slip.payload);
  checkExpiry("slip", claims.expiresAt, nowMs, slipLifetimeMs);
  return claims;
}
