import {
  contentDigest,
  normaliseAuthority,
  requestDigest,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { base64, base64urlnopad } from "@scure/base";
import type { SigningKey } from "./ed25519.ts";

/**
 * The parts of a request that are signed besides its content: `authority` as in the URL, `path`
 * without a query.
 */
export type RequestTarget = {
  readonly authority: string;
  readonly path: string;
  readonly contentType: string;
};

/**
 * The headers that carry a signature, and the digest by which the reply refers to the request
 * (SIGNING §6).
 */
export type SignedHeaders = {
  readonly headers: Readonly<Record<"content-digest" | "signature-input" | "signature", string>>;
  readonly requestDigest: Uint8Array;
};

/**
 * Signs requests in the profile sallyport-v1. Every call makes a new signature, with its own time
 * and nonce.
 */
export type Signer = {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  sign(target: RequestTarget, body: Uint8Array): SignedHeaders | Promise<SignedHeaders>;
};

/**
 * Makes a signer over a key. Without a keyid it signs as a key that is not enrolled yet (SIGNING
 * §3). `clock` is in Unix milliseconds.
 */
export function createSigner(
  key: SigningKey,
  keyId: string = newKeyId(key.publicKey),
  clock: () => number = Date.now,
): Signer {
  return {
    keyId,
    publicKey: key.publicKey,
    async sign(target, body) {
      const { base, signedBy } = baseOfRequest(target, body, keyId, clock());
      return signedBy(await key.sign(base));
    },
  };
}

/** Returns the keyid of a key that is not enrolled yet (SIGNING §3). */
export function newKeyId(publicKey: Uint8Array): string {
  return `key:${base64urlnopad.encode(publicKey)}`;
}

/**
 * Returns the bytes of a request that a key signs, and the function that makes the headers from the
 * signature.
 */
export function baseOfRequest(
  target: RequestTarget,
  body: Uint8Array,
  keyId: string,
  nowMs: number,
): {
  readonly base: Uint8Array<ArrayBuffer>;
  readonly signedBy: (signature: Uint8Array) => SignedHeaders;
} {
  const digest = contentDigest(body);
  const nonce = base64urlnopad.encode(globalThis.crypto.getRandomValues(new Uint8Array(16)));
  const params = signatureParams({ created: Math.floor(nowMs / 1000), nonce, keyId });
  const base = signatureBase({
    method: "POST",
    authority: normaliseAuthority(target.authority),
    path: target.path,
    contentType: target.contentType,
    contentDigest: digest,
    signatureParams: params,
  });
  const signedBy = (signature: Uint8Array): SignedHeaders => ({
    headers: {
      "content-digest": digest,
      "signature-input": `sp=${params}`,
      signature: `sp=:${base64.encode(signature)}:`,
    },
    requestDigest: requestDigest(base),
  });
  return { base, signedBy };
}
