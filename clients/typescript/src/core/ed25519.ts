import { pointFaultOf } from "@sallyport/proto/signing";
import { base64urlnopad } from "@scure/base";

/** A private Ed25519 key that signs; the key itself need not be readable. */
export type SigningKey = {
  /** The raw public key: 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signs bytes: 64 bytes. */
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
};

/** Ed25519 of one runtime. */
export type Ed25519 = {
  /**
   * Makes a signing key from a 32-byte seed or a key pair of WebCrypto, whose private key need not
   * be exportable. Throws RangeError for a seed of another length.
   */
  readonly signingKey: (key: CryptoKeyPair | Uint8Array) => Promise<SigningKey>;
  /**
   * Verifies a signature under a raw public key, by the rules of SIGNING §7 in every runtime;
   * returns false for malformed input.
   */
  readonly verify: (
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ) => Promise<boolean>;
};

const algorithm = "Ed25519";
const keyBytes = 32;
const signatureBytes = 64;
// RFC 8410 §7: the prefix of the 32 bytes of a private key.
const pkcs8Prefix = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

/**
 * Makes Ed25519 of WebCrypto, or of @noble/ed25519 where WebCrypto lacks it, as in older browsers.
 */
export function createEd25519(subtle: SubtleCrypto): Ed25519 {
  let found: Promise<boolean> | undefined;
  const isNative = (): Promise<boolean> => (found ??= supportsEd25519(subtle));
  return {
    async signingKey(key) {
      if (!(key instanceof Uint8Array)) return keyOfPair(subtle, key);
      if (key.length !== keyBytes) throw new RangeError("an Ed25519 seed has 32 bytes");
      if (await isNative()) return keyOfPair(subtle, await pairOf(subtle, key));
      return (await import("./ed25519-noble.ts")).nobleKey(key);
    },
    async verify(publicKey, message, signature) {
      if (publicKey.length !== keyBytes || signature.length !== signatureBytes) return false;
      // Implementations differ only for these points.
      const points = [publicKey, signature.subarray(0, keyBytes)];
      if (points.some((point) => pointFaultOf("ed25519", point) !== undefined)) return false;
      if (!(await isNative()))
        return (await import("./ed25519-noble.ts")).nobleVerify(publicKey, message, signature);
      const key = await publicKeyOf(subtle, publicKey).catch(() => undefined);
      return key ? subtle.verify(algorithm, key, plain(signature), plain(message)) : false;
    },
  };
}

/** Ed25519 of this runtime. */
export const ed25519: Ed25519 = createEd25519(globalThis.crypto.subtle);

// Tested with the base point of the curve (RFC 8032 §5.1), which every implementation accepts.
function supportsEd25519(subtle: SubtleCrypto): Promise<boolean> {
  const basePoint = new Uint8Array(keyBytes).fill(0x66).fill(0x58, 0, 1);
  return publicKeyOf(subtle, basePoint).then(
    () => true,
    () => false,
  );
}

function publicKeyOf(subtle: SubtleCrypto, raw: Uint8Array): Promise<CryptoKey> {
  return subtle.importKey("raw", plain(raw), algorithm, true, ["verify"]);
}

// WebCrypto derives no public key, but a private key's JWK has it.
async function pairOf(subtle: SubtleCrypto, seed: Uint8Array): Promise<CryptoKeyPair> {
  const pkcs8 = new Uint8Array([...pkcs8Prefix, ...seed]);
  const privateKey = await subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const { x = "" } = await subtle.exportKey("jwk", privateKey);
  return { privateKey, publicKey: await publicKeyOf(subtle, base64urlnopad.decode(x)) };
}

async function keyOfPair(subtle: SubtleCrypto, pair: CryptoKeyPair): Promise<SigningKey> {
  return {
    publicKey: new Uint8Array(await subtle.exportKey("raw", pair.publicKey)),
    sign: async (message) => new Uint8Array(await subtle.sign(algorithm, pair.privateKey, message)),
  };
}

// WebCrypto does not accept a view of shared memory.
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
