import { sha256 } from "#sha256";
import { LABELS, labelled } from "./labels.ts";

/** Number of random bytes from which a secret's id is derived. */
export const secretIdNonceBytes = 16;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idLength = 20;

/**
 * Returns the id of a secret to be made (SIGNING §9.3): 100 bits of a SHA-256 over the vault's id
 * and 16 random bytes.
 *
 * Security: an id that exists can be requested only with its nonce and in its own vault. So the
 * refusal of an id that is in use reveals nothing about another vault, whose ids cannot be derived
 * in this one.
 */
export function secretIdOf(vaultId: string, nonce: Uint8Array): string {
  if (nonce.length !== secretIdNonceBytes)
    throw new RangeError("a secret's id is derived from 16 bytes");
  const digest = sha256(labelled(LABELS.secretId, vaultId, nonce));
  const characters = Array.from(digest.subarray(0, idLength), (byte) => alphabet.charAt(byte & 31));
  return `sec_${characters.join("")}`;
}

/**
 * Makes the id of a secret to be made in a vault, and the nonce that proves that the id belongs to
 * that vault.
 */
export function newSecretId(vaultId: string): {
  secretId: string;
  idNonce: Uint8Array<ArrayBuffer>;
} {
  const idNonce = globalThis.crypto.getRandomValues(new Uint8Array(secretIdNonceBytes));
  return { secretId: secretIdOf(vaultId, idNonce), idNonce };
}
