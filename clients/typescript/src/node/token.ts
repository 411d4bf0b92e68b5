import {
  enrollmentStatement,
  formatToken,
  loginStatement,
  parseToken,
  renewalStatement,
  sha256,
} from "@sallyport/proto/signing";
import { newSeed, privateKeyOf, rawPublicKey, signBytes } from "./keys.ts";

/** The two kinds of text that admit a new key: an enrollment token and a login code. */
export type TokenKind = "enr" | "login";

/**
 * The secret half of a token, made by its creator and never sent: the seed, and the hash that the
 * server keeps.
 */
export type TokenSecret = { readonly seed: Uint8Array; readonly publicKeySha256: Uint8Array };

/** Makes the secret half of a token. */
export function newTokenSecret(): TokenSecret {
  const seed = newSeed();
  return { seed, publicKeySha256: sha256(rawPublicKey(privateKeyOf(seed))) };
}

/**
 * Makes the proof that the holder of a token admits a key: the token's public key, and its
 * signature (SIGNING §8).
 */
export function proveToken(
  kind: TokenKind,
  vaultId: string,
  seed: Uint8Array,
  newKey: Uint8Array,
): { publicKey: Uint8Array; proof: Uint8Array } {
  const privateKey = privateKeyOf(seed);
  const publicKey = rawPublicKey(privateKey);
  const statement = kind === "enr" ? enrollmentStatement : loginStatement;
  return { publicKey, proof: signBytes(privateKey, statement(vaultId, publicKey, newKey)) };
}

/**
 * Makes the proof with which a new key replaces a device's current one: the new public key, and its
 * signature (SIGNING §8). The request that carries it is signed by the current key.
 */
export function proveRenewal(
  vaultId: string,
  presentKey: Uint8Array,
  newKeySeed: Uint8Array,
): { newPublicKey: Uint8Array; proof: Uint8Array } {
  const privateKey = privateKeyOf(newKeySeed);
  const newPublicKey = rawPublicKey(privateKey);
  return {
    newPublicKey,
    proof: signBytes(privateKey, renewalStatement(vaultId, presentKey, newPublicKey)),
  };
}

export { formatToken, parseToken };
