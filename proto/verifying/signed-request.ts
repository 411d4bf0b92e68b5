import type { SignedRequest } from "../gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ContentType,
  contentDigest,
  contentTypeOf,
  isContentDigest,
  normaliseAuthority,
  parseSignature,
  parseSignatureInput,
  requestDigest,
  signatureBase,
} from "../signing/index.ts";
import { EvidenceError, type EvidenceStep, atStep } from "./evidence-error.ts";

/**
 * A signed request without its content: the covered components and the headers of the signature.
 */
export type SignedHead = Omit<SignedRequest, "$typeName" | "$unknown" | "body">;

/** A signed request whose form is right; nothing about it is proven yet. */
export type ParsedRequest = {
  readonly keyId: string;
  /** Unix seconds. */
  readonly created: number;
  readonly nonce: string;
  /** The bytes that were signed (SIGNING §4). */
  readonly base: Uint8Array;
  /** The request digest (SIGNING §6). */
  readonly digest: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array;
  readonly contentType: ContentType;
};

/** Verifies an Ed25519 signature by the rules of SIGNING §7; returns false for malformed input. */
export type VerifyEd25519 = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean;

/**
 * The values that a request is checked against. `authorities` are our public names; the window is
 * in seconds before and after the current time.
 */
export type Expected = {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  readonly authorities: readonly string[];
  readonly nowMs: number;
  readonly windowSeconds: number;
};

/** A request that the holder of the key signed for us within the window. */
export type VerifiedRequest = {
  readonly keyId: string;
  readonly createdSeconds: number;
  readonly nonce: string;
  readonly digest: Uint8Array<ArrayBuffer>;
  readonly path: string;
};

const pathForm = /^\/[A-Za-z0-9._]+\/[A-Za-z0-9]+$/;

/**
 * Reads the form of a signed request's head (SIGNING §2-§6); verifies no signature. Throws
 * EvidenceError.
 */
export function parseRequest(signed: SignedHead): ParsedRequest {
  const contentType = contentTypeOf(signed.contentType);
  if (!contentType) throw new EvidenceError("content-type", "it is not accepted");
  if (!isContentDigest(signed.contentDigest))
    throw new EvidenceError("content-digest", "it is not one SHA-256");
  return atStep("signature", () => {
    const { signatureParams, ...parameters } = parseSignatureInput(signed.signatureInput);
    const base = signatureBase({ ...signed, signatureParams });
    return {
      ...parameters,
      base,
      digest: requestDigest(base),
      signature: parseSignature(signed.signature),
      contentType,
    };
  });
}

/**
 * Verifies signed requests with the given Ed25519 implementation. Throws EvidenceError naming the
 * step (SIGNING §4.1).
 */
export type RequestVerifier = {
  /**
   * Verifies a signed request: its form, the signature under the given key, method, authority,
   * path, time and content digest. The caller enforces that a nonce is used once.
   */
  readonly verifySignedRequest: (signed: SignedRequest, expected: Expected) => VerifiedRequest;
  /**
   * The same for a head that is parsed already, except for the content: the caller verifies it
   * against `content-digest`.
   */
  readonly verifyHead: (
    signed: SignedHead,
    parsed: ParsedRequest,
    expected: Expected,
  ) => VerifiedRequest;
};

/** Makes a verifier of requests. */
export function createRequestVerifier(verify: VerifyEd25519): RequestVerifier {
  const verifyHead: RequestVerifier["verifyHead"] = (signed, parsed, expected) => {
    const { keyId, created, nonce, base, digest, signature } = parsed;
    demand("binding", keyId === expected.keyId, "the keyid is another one's");
    demand("signature", verify(expected.publicKey, base, signature), "it does not hold");
    demand("method", signed.method === "POST", "it is not POST");
    demand("authority", isOurs(signed.authority, expected.authorities), "it is not ours");
    demand("path", pathForm.test(signed.path), "it is not a method's path");
    const skewMs = Math.abs(expected.nowMs - created * 1000);
    demand("created", skewMs <= expected.windowSeconds * 1000, "it is outside the window");
    return { keyId, createdSeconds: created, nonce, digest, path: signed.path };
  };
  return {
    verifyHead,
    verifySignedRequest(signed, expected) {
      const verified = verifyHead(signed, parseRequest(signed), expected);
      checkDigest(signed);
      return verified;
    },
  };
}

/** Checks the content against `content-digest`. Throws EvidenceError ("content-digest"). */
export function checkDigest({
  body,
  contentDigest: said,
}: Pick<SignedRequest, "body" | "contentDigest">): void {
  demand("content-digest", contentDigest(body) === said, "it is another body's");
}

function demand(step: EvidenceStep, holds: boolean, otherwise: string): void {
  if (!holds) throw new EvidenceError(step, otherwise);
}

// Security: the signed text itself must be in normal form; otherwise one request could have two
// bases and so two digests.
function isOurs(authority: string, ours: readonly string[]): boolean {
  const normal = atStep("authority", () => normaliseAuthority(authority));
  return normal === authority && ours.some((name) => normaliseAuthority(name) === normal);
}
