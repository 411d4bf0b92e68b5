import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from "node:crypto";

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** Makes a random Ed25519 seed: 32 bytes. */
export function newSeed(): Uint8Array {
  const { privateKey } = generateKeyPairSync("ed25519");
  return new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }).subarray(-32));
}

/** Returns the private key of a 32-byte Ed25519 seed (RFC 8032 §5.1.5). */
export function privateKeyOf(seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new RangeError("an Ed25519 seed has 32 bytes");
  return createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: "der",
    type: "pkcs8",
  });
}

/** Returns the raw public key of a private key: 32 bytes. */
export function rawPublicKey(privateKey: KeyObject): Uint8Array {
  return new Uint8Array(
    createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32),
  );
}

/** Signs bytes with Ed25519: 64 bytes. */
export function signBytes(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateKey));
}

/**
 * Verifies an Ed25519 signature under a raw 32-byte public key; returns false for malformed input.
 */
export function verifyBytes(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = createPublicKey({
    key: Buffer.concat([spkiPrefix, publicKey]),
    format: "der",
    type: "spki",
  });
  return verify(null, message, key, signature);
}
