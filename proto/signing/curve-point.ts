import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

/** A curve on which public keys of the contract lie. */
export type Curve = "x25519" | "ed25519";

/** The faults of a point that no honest client makes. */
export type PointFault = "small order" | "not canonical";

const p = 2n ** 255n - 19n;
const signBit = 2n ** 255n;

// Besides 0, 1 and p - 1. RFC 7748 §6.1: the u whose product with any scalar is zero; SIGNING §7:
// the y of the points of order 8.
const smallOrder: Readonly<Record<Curve, ReadonlySet<bigint>>> = {
  x25519: numbers(
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ),
  ed25519: numbers(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ),
};

/**
 * Finds the fault of a public key, or of the R of a signature: a small order, under which a shared
 * secret is predictable and anybody can make valid signatures, or a non-canonical encoding of the
 * point (SIGNING §5.5, §7). Undefined for 32 bytes without a fault; the library that uses them
 * checks whether they are on the curve.
 */
export function pointFaultOf(curve: Curve, encoded: Uint8Array): PointFault | undefined {
  const number = littleEndian(encoded);
  // Of an Ed25519 point the highest bit is the sign of x; with either sign these are of small
  // order, or not a valid encoding.
  const coordinate = curve === "ed25519" ? number % signBit : number;
  if (coordinate <= 1n || coordinate === p - 1n || smallOrder[curve].has(coordinate))
    return "small order";
  return coordinate < p ? undefined : "not canonical";
}

function numbers(...points: readonly string[]): ReadonlySet<bigint> {
  return new Set(points.map((point) => littleEndian(hexToBytes(point))));
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(bytes.toReversed())}`);
}
