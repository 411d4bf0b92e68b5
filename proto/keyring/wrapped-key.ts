import { EnvelopeError, keyBytes, sealOverheadBytes } from "./aead.ts";
import type { KekName } from "./kek.ts";

const maxWrappedBytes = 1_024;
const maxKeyNameBytes = 255;
const providerForm = /^[a-z][a-z0-9-]{0,31}$/;
const keyNameForm = /^[\x21-\x7e]+$/;

/** The length of a key that the first form of the bytes holds: sealed by a file KEK. */
export const wrappedBytesV1 = keyBytes + sealOverheadBytes;

const fingerprintBytes = 16;

/** The end of the KEK's name in the first form: a fingerprint at once behind the magic. */
export const nameEndV1 = 4 + fingerprintBytes;

/** Encodes a KEK's name (ENVELOPE §1.6). Throws EnvelopeError for one that has not its form. */
export function encodeKekName({ provider, key }: KekName): Uint8Array {
  if (!providerForm.test(provider) || !keyNameForm.test(key) || key.length > maxKeyNameBytes)
    throw new EnvelopeError("a KEK has a name that cannot be stored");
  return Buffer.concat([
    Buffer.of(provider.length),
    Buffer.from(provider),
    Buffer.of(key.length),
    Buffer.from(key),
  ]);
}

/** Decodes the KEK's name at that offset. Throws EnvelopeError. */
export function decodeKekName(
  bytes: Uint8Array,
  at: number,
): { readonly name: KekName; readonly end: number } {
  const provider = textAt(bytes, at);
  const key = textAt(bytes, at + 1 + provider.length);
  if (!providerForm.test(provider) || !keyNameForm.test(key))
    throw new EnvelopeError("the name of a KEK has another form");
  return { name: { provider, key }, end: at + 2 + provider.length + key.length };
}

/** Decodes the KEK's name in the first form, which only a file KEK has. Throws EnvelopeError. */
export function decodeKekNameV1(bytes: Uint8Array): KekName {
  const fingerprint = Buffer.from(bytes.subarray(nameEndV1 - fingerprintBytes, nameEndV1));
  return { provider: "file", key: fingerprint.toString("hex") };
}

/**
 * Prefixes a wrapped key with its length (ENVELOPE §1.7). Throws EnvelopeError when it is empty or
 * has more than 1,024 bytes.
 */
export function encodeWrapped(wrapped: Uint8Array): Uint8Array {
  if (wrapped.length === 0 || wrapped.length > maxWrappedBytes)
    throw new EnvelopeError("a KEK wrapped a key into more than 1,024 bytes or none");
  const length = Buffer.alloc(2);
  length.writeUInt16BE(wrapped.length);
  return Buffer.concat([length, wrapped]);
}

/** Decodes the length-prefixed wrapped key at that offset. Throws EnvelopeError. */
export function decodeWrapped(
  bytes: Uint8Array,
  at: number,
): { readonly wrapped: Uint8Array; readonly end: number } {
  const [high = 0, low = 0] = bytes.subarray(at, at + 2);
  const length = high * 256 + low;
  const start = at + 2;
  if (length === 0 || length > maxWrappedBytes || bytes.length < start + length)
    throw new EnvelopeError("a wrapped key is cut short or has another length");
  return { wrapped: bytes.subarray(start, start + length), end: start + length };
}

function textAt(bytes: Uint8Array, at: number): string {
  const length = bytes[at] ?? 0;
  const text = bytes.subarray(at + 1, at + 1 + length);
  if (length === 0 || text.length < length)
    throw new EnvelopeError("the name of a KEK is cut short");
  return Buffer.from(text).toString("latin1");
}
