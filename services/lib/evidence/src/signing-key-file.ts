import { keptOrNewKeys } from "@sallyport/config";
import type { AnswerOwner } from "@sallyport/proto/signing";
import { publicKeyOf } from "./ed25519.ts";

/** A public key as the programs of the ceremony print it for the keyset; the key is in base64. */
export type PublicKeyLine = {
  readonly keyId: string;
  readonly use: string;
  readonly holder?: AnswerOwner;
  readonly publicKey: string;
};

/** Which Ed25519 keys a file holds: the setting that names it, and their use in the keyset. */
export type SigningKeyFile = { readonly variable: string; readonly file: string } & (
  | { readonly use: "CREDENTIAL" | "LOG" }
  | { readonly use: "ANSWER"; readonly holder: AnswerOwner }
);

/**
 * The public halves of a file's keys, which is made with a new one when there is none; what exists
 * is kept.
 */
export function keptOrNewSigningKeys({
  variable,
  file,
  ...published
}: SigningKeyFile): PublicKeyLine[] {
  const prefix = "holder" in published ? `answer-${published.holder}` : published.use.toLowerCase();
  return keptOrNewKeys(variable, file, prefix).map(({ keyId, key }) => {
    const publicKey = Buffer.from(publicKeyOf(key)).toString("base64");
    key.fill(0);
    return { keyId, ...published, publicKey };
  });
}
