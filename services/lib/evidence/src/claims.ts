import {
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  create,
  toBinary,
} from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { fromStrictBinary } from "@sallyport/proto/signing";
import { EvidenceError, type EvidenceStep, atStep, violationOf } from "@sallyport/proto/verifying";

/** The largest difference between two clocks of the deployment, in milliseconds. */
export const maxSkewMs = 5_000;

/**
 * Serialises claims once; the bytes are what is signed and what travels. Throws when the claims
 * break their contract.
 */
export function encodeClaims<D extends DescMessage>(
  schema: D,
  claims: MessageInitShape<D>,
): Uint8Array<ArrayBuffer> {
  const message = create(schema, claims);
  const violation = violationOf(schema, message);
  if (violation) throw new Error(`${schema.typeName}.${violation.field}: ${violation.description}`);
  return toBinary(schema, message);
}

/** Reads claims whose signature or MAC held: unknown fields refused, every bound kept. */
export function decodeClaims<D extends DescMessage>(
  step: EvidenceStep,
  schema: D,
  payload: Uint8Array,
): MessageShape<D> {
  const message = atStep(step, () => fromStrictBinary(schema, payload));
  const violation = violationOf(schema, message);
  if (violation) throw new EvidenceError(step, `${violation.field} ${violation.description}`);
  return message;
}

/** Refuses claims that are expired, or that claim to live longer than `maxMs` from now. */
export function checkExpiry(
  step: EvidenceStep,
  expiresAt: Timestamp | undefined,
  nowMs: number,
  maxMs: number,
): void {
  const expiresMs = expiresAt ? timestampMs(expiresAt) : 0;
  if (nowMs >= expiresMs) throw new EvidenceError(step, "it is expired");
  if (expiresMs > nowMs + maxMs + maxSkewMs)
    throw new EvidenceError(step, "it lives longer than it may");
}
