import { randomBytes } from "node:crypto";
import {
  contentDigest,
  normaliseAuthority,
  requestDigest,
  signatureBase,
  signatureParams,
} from "@sallyport/proto/signing";
import { privateKeyOf, rawPublicKey, signBytes } from "../node/keys.ts";

/**
 * What of a request is signed besides its content: `authority` as in the URL, `path` without a
 * query.
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
 * Signs requests in the profile sallyport-v1. Every call signs anew, with its own time and nonce.
 */
export type Signer = {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  sign(target: RequestTarget, body: Uint8Array): SignedHeaders;
};

/**
 * Makes a signer from a 32-byte seed. Without a keyid it signs as a key that is not enrolled yet
 * (SIGNING §3).
 */
export function createSigner(
  seed: Uint8Array,
  keyId?: string,
  clock: () => number = Date.now,
): Signer {
  const privateKey = privateKeyOf(seed);
  const publicKey = rawPublicKey(privateKey);
  const signerKeyId = keyId ?? `key:${Buffer.from(publicKey).toString("base64url")}`;
  return {
    keyId: signerKeyId,
    publicKey,
    sign(target, body) {
      const digest = contentDigest(body);
      const params = signatureParams({
        created: Math.floor(clock() / 1000),
        nonce: randomBytes(16).toString("base64url"),
        keyId: signerKeyId,
      });
      const base = signatureBase({
        method: "POST",
        authority: normaliseAuthority(target.authority),
        path: target.path,
        contentType: target.contentType,
        contentDigest: digest,
        signatureParams: params,
      });
      const signature = Buffer.from(signBytes(privateKey, base)).toString("base64");
      const headers = {
        "content-digest": digest,
        "signature-input": `sp=${params}`,
        signature: `sp=:${signature}:`,
      };
      return { headers, requestDigest: requestDigest(base) };
    },
  };
}
