import { base64urlnopad } from "@scure/base";
import { FormatError } from "./format-error.ts";

/** The owner of a keyid: a machine, one device key of a user, or a key that is not enrolled yet. */
export type KeyId =
  | { readonly kind: "machine"; readonly principalId: string }
  | { readonly kind: "user"; readonly principalId: string }
  | { readonly kind: "newKey"; readonly publicKey: Uint8Array<ArrayBuffer> };

const machine = /^mch_[0-9a-hjkmnp-tv-z]{20}$/;
const user = /^(usr_[0-9a-hjkmnp-tv-z]{20})\.[0-9a-hjkmnp-tv-z]{20}$/;
// 32 bytes in canonical base64url without padding: the last character carries two zero bits.
const newKey = /^key:([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

/** Reads a keyid (SIGNING §3). Throws FormatError for anything outside its grammar. */
export function parseKeyId(keyId: string): KeyId {
  if (machine.test(keyId)) return { kind: "machine", principalId: keyId };
  const principalId = user.exec(keyId)?.[1];
  if (principalId !== undefined) return { kind: "user", principalId };
  const encoded = newKey.exec(keyId)?.[1];
  if (encoded === undefined) throw new FormatError("the keyid is malformed");
  return { kind: "newKey", publicKey: new Uint8Array(base64urlnopad.decode(encoded)) };
}
