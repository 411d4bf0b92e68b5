import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/**
 * Bytes do not have the form that ENVELOPE.md demands, or do not open. The message never holds the
 * input.
 */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
}

/** The length of every key, in bytes. */
export const keyBytes = 32;

const algorithm = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

/** By how many bytes a sealed text is longer than its plaintext (ENVELOPE §1.4). */
export const sealOverheadBytes = ivBytes + tagBytes;

/** Seals a plaintext under a random IV: iv, ciphertext, tag (ENVELOPE §1.4). */
export function sealBytes(
  key: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes });
  cipher.setAAD(aad);
  return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens the result of sealBytes; the caller zeroes the plaintext. Throws EnvelopeError (ENVELOPE
 * §1.4).
 */
export function openBytes(
  key: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (sealed.length < sealOverheadBytes) throw new EnvelopeError("a sealed text is cut short");
  const tagAt = sealed.length - tagBytes;
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(tagAt));
  const plaintext = decipher.update(sealed.subarray(ivBytes, tagAt));
  try {
    decipher.final();
  } catch {
    plaintext.fill(0); // Security: what was not authenticated does not stay in memory either.
    throw new EnvelopeError("a tag does not hold");
  }
  return plaintext;
}

/** A new random key; the caller zeroes it. */
export function newKey(): Uint8Array {
  return randomBytes(keyBytes);
}

/** Runs with a secret buffer and zeroes it afterwards, also after an error. */
export async function zeroing<T>(
  secret: Uint8Array,
  run: (secret: Uint8Array) => T | Promise<T>,
): Promise<T> {
  try {
    return await run(secret);
  } finally {
    secret.fill(0);
  }
}
