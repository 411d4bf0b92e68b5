import { sha256 as hash } from "@noble/hashes/sha2.js";

/** SHA-256 in JavaScript alone: WebCrypto has it in every runtime too, but only asynchronously. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash(bytes));
}
