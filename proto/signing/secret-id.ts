import { sha256 } from "#sha256";
import { LABELS, labelled } from "./labels.ts";

/** How many random bytes a secret's id is derived from. */
export const secretIdNonceBytes = 16;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idLength = 20;

/**
 * The id of a secret that is yet to be made (SIGNING §9.3): 100 bits of a SHA-256 over the vault's
 * id and 16 random bytes.
 *
 * Security: an id that exists can be asked for only by its nonce and in its own vault. So the
 * refusal of an id that is taken says nothing of another vault, whose ids nobody can derive in this
 * one.
 */
export function secretIdOf(vaultId: string, nonce: Uint8Array): string {
  if (nonce.length !== secretIdNonceBytes)
    throw new RangeError("a secret's id is derived from 16 bytes");
  const digest = sha256(labelled(LABELS.secretId, vaultId, nonce));
  const characters = Array.from(digest.subarray(0, idLength), (byte) => alphabet.charAt(byte & 31));
  return `sec_${characters.join("")}`;
}

/**
 * Draws the id of a secret that is yet to be made in a vault, and the nonce that shows it to be of
 * that vault.
 */
export function newSecretId(vaultId: string): {
  secretId: string;
  idNonce: Uint8Array<ArrayBuffer>;
} {
  const idNonce = globalThis.crypto.getRandomValues(new Uint8Array(secretIdNonceBytes));
  return { secretId: secretIdOf(vaultId, idNonce), idNonce };
}
