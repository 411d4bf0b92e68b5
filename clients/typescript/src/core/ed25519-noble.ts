import { Point, etc, getPublicKeyAsync, signAsync } from "@noble/ed25519";
import type { SigningKey } from "./ed25519.ts";

const order = Point.CURVE().n;

/** Makes a signing key from a 32-byte seed, with @noble/ed25519. */
export async function nobleKey(seed: Uint8Array): Promise<SigningKey> {
  const publicKey = await getPublicKeyAsync(seed);
  return { publicKey, sign: (message) => signAsync(message, seed) };
}

/**
 * Verifies a signature by the equation S·B = R + h·A over points that are known to be strict.
 *
 * Security: the library's own `verify` multiplies by the cofactor and so accepts signatures that
 * SIGNING §7 refuses.
 */
export async function nobleVerify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  const key = pointOf(publicKey);
  if (!key || s >= order) return false;
  const hashed = await crypto.subtle.digest("SHA-512", etc.concatBytes(r, publicKey, message));
  const h = littleEndian(new Uint8Array(hashed)) % order;
  const point = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(h));
  return point.toHex() === etc.bytesToHex(r);
}

function pointOf(encoded: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(encoded);
  } catch {
    return undefined; // It is not on the curve.
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${etc.bytesToHex(bytes.toReversed())}`);
}
