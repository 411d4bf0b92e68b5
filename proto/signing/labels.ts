import { concatBytes } from "./bytes.ts";

/**
 * The domain separation labels: no byte string that is signed, sealed or authenticated for one
 * purpose is valid for another (SIGNING §10).
 */
export const LABELS = {
  request: "sallyport-request-v1",
  root: "sallyport-root-v1",
  enroll: "sallyport-enroll-v1",
  login: "sallyport-login-v1",
  renew: "sallyport-renew-v1",
  credential: "sallyport-credential-v1",
  permit: "sallyport-permit-v1",
  slip: "sallyport-slip-v1",
  keysetSigner: "sallyport-keyset-signer-v1",
  keyset: "sallyport-keyset-v1",
  reply: "sallyport-reply-v1",
  answer: "sallyport-answer-v1",
  read: "sallyport-read-v1",
  write: "sallyport-write-v1",
  secretId: "sallyport-secret-id-v1",
} as const;

/** One of the domain separation labels. */
export type Label = (typeof LABELS)[keyof typeof LABELS];

const encoder = new TextEncoder();

function bytesOf(part: string | Uint8Array): Uint8Array {
  return typeof part === "string" ? encoder.encode(part) : part;
}

/**
 * Joins the label in ASCII, a zero byte and the parts, strings in UTF-8 (SIGNING §10). The parts
 * are not delimited: only one of them may vary in length.
 */
export function labelled(
  label: string,
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  return concatBytes([bytesOf(label), new Uint8Array(1), ...parts.map(bytesOf)]);
}

/**
 * Joins, for each part, its length in four bytes big-endian and its bytes, strings in UTF-8
 * (SIGNING §9).
 */
export function lengthPrefixed(
  ...parts: readonly (string | Uint8Array)[]
): Uint8Array<ArrayBuffer> {
  return concatBytes(parts.map(bytesOf).flatMap((part) => [lengthOf(part), part]));
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, part.length);
  return length;
}
