import { base64 } from "@scure/base";
import { sha256 } from "#sha256";

const form = /^sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:$/;

/**
 * Returns the Content-Digest header of a body as sent (RFC 9530): SHA-256 only, one member (SIGNING
 * §5).
 */
export function contentDigest(body: Uint8Array): string {
  return `sha-256=:${base64.encode(sha256(body))}:`;
}

/**
 * Returns whether a Content-Digest header has the only accepted form: one SHA-256, canonical base64
 * (SIGNING §5).
 */
export function isContentDigest(header: string): boolean {
  return form.test(header);
}
