/** The prefixes of ids, one for each kind of thing (SIGNING §1.3). */
export type IdPrefix =
  | "vlt"
  | "prj"
  | "sec"
  | "mch"
  | "usr"
  | "tok"
  | "pol"
  | "dec"
  | "evt"
  | "req";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const bodyLength = 20;
const body = /^[0-9a-hjkmnp-tv-z]{20}$/;

/**
 * Makes the part of an id after its prefix: 20 characters of lower-case Crockford base32, 100
 * random bits.
 */
export function newIdBody(): string {
  const random = globalThis.crypto.getRandomValues(new Uint8Array(bodyLength));
  return Array.from(random, (byte) => alphabet.charAt(byte % alphabet.length)).join("");
}

/** Makes an id of the kind: prefix, underscore and 100 random bits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${newIdBody()}`;
}

/** Returns whether a text is an id of the kind. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}_`) && body.test(text.slice(prefix.length + 1));
}
