import { type RequestTarget, type SignedHeaders, baseOfRequest, newKeyId } from "../core/signer.ts";
import { privateKeyOf, rawPublicKey, signBytes } from "./keys.ts";

/** A synchronous signer: the core's signer with its key in memory. */
export type Signer = {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  sign(target: RequestTarget, body: Uint8Array): SignedHeaders;
};

/**
 * Makes a signer from a 32-byte seed. Without a keyid it signs as a key that is not enrolled yet
 * (SIGNING §3). `clock` is in Unix milliseconds.
 */
export function createSigner(
  seed: Uint8Array,
  keyId?: string,
  clock: () => number = Date.now,
): Signer {
  const privateKey = privateKeyOf(seed);
  const publicKey = rawPublicKey(privateKey);
  const signerKeyId = keyId ?? newKeyId(publicKey);
  return {
    keyId: signerKeyId,
    publicKey,
    sign(target, body) {
      const { base, signedBy } = baseOfRequest(target, body, signerKeyId, clock());
      return signedBy(signBytes(privateKey, base));
    },
  };
}
