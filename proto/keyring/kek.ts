import { createHash } from "node:crypto";
import { labelled } from "../signing/labels.ts";
import { keyBytes, openBytes, sealBytes, sealOverheadBytes } from "./aead.ts";

/** The length of a KEK's fingerprint, in bytes (ENVELOPE §1.6). */
export const fingerprintBytes = 16;

/** The length of a key that a KEK wrapped, in bytes (ENVELOPE §1.7). */
export const wrappedKeyBytes = keyBytes + sealOverheadBytes;

/**
 * Where the KEK lives: a file now, a KMS or HSM later. The KEK itself never leaves its provider.
 */
export type KekProvider = {
  /** Names the provider and the KEK: 16 bytes that differ for every KEK (ENVELOPE §1.6). */
  describe(): { readonly provider: string; readonly fingerprint: Uint8Array };
  /** Wraps a 32-byte key into 60 bytes, bound to the associated data (ENVELOPE §1.7). */
  wrap(key: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
  /**
   * Unwraps; the caller zeroes the key. Throws EnvelopeError when KEK, associated data or bytes are
   * not the same.
   */
  unwrap(wrapped: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
};

/**
 * Something was wrapped by another KEK. The sentence names the one needed and the one given
 * (ENVELOPE §4.4).
 */
export class WrongKekError extends Error {
  override readonly name = "WrongKekError";

  constructor(what: string, needed: Uint8Array, given: Uint8Array) {
    super(`${what} needs the KEK ${textOf(needed)}, but the KEK given is ${textOf(given)}`);
  }
}

/** Makes the provider of a KEK that was read from a file: 32 bytes. */
export function createFileKek(kek: Uint8Array): KekProvider {
  if (kek.length !== keyBytes) throw new RangeError("a KEK has 32 bytes");
  const fingerprint = createHash("sha256")
    .update(labelled("sallyport-kek-v1", kek))
    .digest()
    .subarray(0, fingerprintBytes);
  return {
    describe: () => ({ provider: "file", fingerprint }),
    wrap: async (key, aad) => sealBytes(kek, aad, key),
    unwrap: async (wrapped, aad) => openBytes(kek, aad, wrapped),
  };
}

/** Throws WrongKekError unless the fingerprint is that of the provider's KEK. */
export function checkFingerprint(what: string, needed: Uint8Array, kek: KekProvider): void {
  const given = kek.describe().fingerprint;
  if (Buffer.compare(needed, given) !== 0) throw new WrongKekError(what, needed, given);
}

/** A fingerprint as people see it: 32 lower-case hex digits. */
export function textOf(fingerprint: Uint8Array): string {
  return Buffer.from(fingerprint).toString("hex");
}
