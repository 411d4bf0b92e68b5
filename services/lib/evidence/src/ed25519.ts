import sodium from "sodium-native";

/**
 * Verifies an Ed25519 signature strictly (SIGNING §7): libsodium refuses a non-canonical S and
 * small-order or non-canonical A and R. Malformed input is simply not valid.
 */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { crypto_sign_PUBLICKEYBYTES: keyBytes, crypto_sign_BYTES: signatureBytes } = sodium;
  if (publicKey.length !== keyBytes || signature.length !== signatureBytes) return false;
  return sodium.crypto_sign_verify_detached(viewOf(signature), viewOf(message), viewOf(publicKey));
}

/**
 * Signs with the Ed25519 key of a 32-byte seed (RFC 8032): 64 bytes. Throws RangeError for another
 * length.
 */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return withKeyPair(seed, (_, secretKey) => {
    const signature = Buffer.alloc(sodium.crypto_sign_BYTES);
    sodium.crypto_sign_detached(signature, viewOf(message), secretKey);
    return new Uint8Array(signature);
  });
}

/**
 * The 32-byte Ed25519 public key of a 32-byte seed (RFC 8032). Throws RangeError for another
 * length.
 */
export function publicKeyOf(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  return withKeyPair(seed, (publicKey) => new Uint8Array(publicKey));
}

function withKeyPair<T>(seed: Uint8Array, use: (publicKey: Buffer, secretKey: Buffer) => T): T {
  if (seed.length !== sodium.crypto_sign_SEEDBYTES)
    throw new RangeError("an Ed25519 seed has 32 bytes");
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
  try {
    sodium.crypto_sign_seed_keypair(publicKey, secretKey, viewOf(seed));
    return use(publicKey, secretKey);
  } finally {
    secretKey.fill(0);
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
