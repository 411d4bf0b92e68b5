import { createHmac, timingSafeEqual } from "node:crypto";
import { labelled } from "@sallyport/proto/signing";
import { EvidenceError, type EvidenceStep } from "@sallyport/proto/verifying";

/** A symmetric key of 32 bytes, known to exactly two processes. */
export type MacKey = { readonly keyId: string; readonly key: Uint8Array };

/** Bytes with the MAC that vouches for them. */
export type Vouched = {
  readonly payload: Uint8Array;
  readonly keyId: string;
  readonly mac: Uint8Array;
};

/**
 * Vouches for a payload with the first key: HMAC-SHA-256 over label, zero byte and payload (SIGNING
 * §10).
 */
export function vouch(
  label: string,
  payload: Uint8Array<ArrayBuffer>,
  [preferred]: readonly MacKey[],
) {
  if (!preferred) throw new Error("no MAC key is configured");
  return { payload, keyId: preferred.keyId, mac: macOf(label, payload, preferred.key) };
}

/** Checks that one of our keys vouches for the payload. Throws EvidenceError of the step. */
export function checkVouched(
  step: EvidenceStep,
  label: string,
  { payload, keyId, mac }: Vouched,
  keys: readonly MacKey[],
): void {
  const key = keys.find((candidate) => candidate.keyId === keyId)?.key;
  if (!key) throw new EvidenceError(step, "its MAC key is unknown");
  const expected = macOf(label, payload, key);
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected))
    throw new EvidenceError(step, "the MAC does not hold");
}

function macOf(label: string, payload: Uint8Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac("sha256", key).update(labelled(label, payload)).digest());
}
