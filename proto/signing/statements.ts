import { base64urlnopad } from "@scure/base";
import { sha256 } from "#sha256";
import { FormatError } from "./format-error.ts";
import { LABELS, labelled } from "./labels.ts";

const vaultIdForm = /^vlt_[0-9a-hjkmnp-tv-z]{20}$/;
const keyBytes = 32;

/**
 * Returns the bytes that an enrollment token's key signs to admit a machine key (SIGNING §8).
 * Throws FormatError.
 */
export function enrollmentStatement(
  vaultId: string,
  tokenPublicKey: Uint8Array,
  machinePublicKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return statement(LABELS.enroll, vaultId, tokenPublicKey, machinePublicKey);
}

/**
 * Returns the bytes that a login code's key signs to admit a device key (SIGNING §8). Throws
 * FormatError.
 */
export function loginStatement(
  vaultId: string,
  codePublicKey: Uint8Array,
  devicePublicKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return statement(LABELS.login, vaultId, codePublicKey, devicePublicKey);
}

/**
 * Returns the bytes that a device's new key signs to replace its current one (SIGNING §8). Throws
 * FormatError.
 */
export function renewalStatement(
  vaultId: string,
  oldPublicKey: Uint8Array,
  newPublicKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return statement(LABELS.renew, vaultId, oldPublicKey, newPublicKey);
}

// Every part has a fixed length, so that the concatenation is unambiguous.
function statement(
  label: string,
  vaultId: string,
  present: Uint8Array,
  admitted: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const fixed =
    vaultIdForm.test(vaultId) && present.length === keyBytes && admitted.length === keyBytes;
  if (!fixed) throw new FormatError("a statement names a vault and two keys of 32 bytes");
  return labelled(label, vaultId, present, admitted);
}

/**
 * Returns the fingerprint by which a root is pinned: SHA-256 of the labelled key in base64url, 43
 * characters (SIGNING §8).
 */
export function rootFingerprint(rootPublicKey: Uint8Array): string {
  return base64urlnopad.encode(sha256(labelled(LABELS.root, rootPublicKey)));
}
