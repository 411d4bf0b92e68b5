import { serializeInnerList } from "structured-headers";
import { FormatError } from "./format-error.ts";
import { parseKeyId } from "./key-id.ts";

/** The covered components, all of them, in the only accepted order (SIGNING §2). */
export const coveredComponents = [
  "@method",
  "@authority",
  "@path",
  "content-type",
  "content-digest",
] as const;

/** The label of the one member of Signature-Input and Signature (SIGNING §3). */
export const signatureLabel = "sp";

/**
 * The parameters that vary: `created` in Unix seconds, `nonce` 16 to 64 random bytes in base64url,
 * the keyid.
 */
export type SignatureParameters = {
  readonly created: number;
  readonly nonce: string;
  readonly keyId: string;
};

// 16 to 64 bytes in canonical base64url: the unused bits of the last character are zero.
const nonceForm = /^(?=.{22,86}$)(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
const maxCreated = 253_402_300_799; // 9999-12-31, the end of what a protobuf Timestamp can hold.

/** Checks the parameters' values against SIGNING §3. Throws FormatError. */
export function checkParameters({ created, nonce, keyId }: SignatureParameters): void {
  if (!Number.isInteger(created) || created < 0 || created > maxCreated) {
    throw new FormatError("created is not a time in seconds");
  }
  if (!nonceForm.test(nonce)) throw new FormatError("the nonce is not 16 to 64 bytes in base64url");
  parseKeyId(keyId);
}

/**
 * Serialises the signature parameters: the covered components and created, nonce, keyid, alg, tag
 * (SIGNING §3). The result follows `sp=` in Signature-Input, and the last line of the base. Throws
 * FormatError.
 */
export function signatureParams(parameters: SignatureParameters): string {
  checkParameters(parameters);
  const { created, nonce, keyId } = parameters;
  return serializeInnerList([
    coveredComponents.map((name) => [name, new Map()]),
    new Map<string, string | number>([
      ["created", created],
      ["nonce", nonce],
      ["keyid", keyId],
      ["alg", "ed25519"],
      ["tag", "sallyport-v1"],
    ]),
  ]);
}
