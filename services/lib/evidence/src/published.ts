import { publicKeyOf } from "./ed25519.ts";

/** The entries of the keyset for one use and holder. */
export type Published = {
  /** Finds a public key by its id. */
  readonly find: (keyId: string) => Uint8Array | undefined;
  readonly preferred: { readonly keyId: string } | undefined;
};

/**
 * The Ed25519 key to sign with, out of those that a process holds: the keyset's preferred one when
 * it is among them, else the first, which is the newest, that the keyset names with its public key;
 * undefined when it names none. So a keyset decides which key signs, and a process that does not
 * have the preferred one yet goes on with one that everybody accepts: the order in which keyset and
 * key file reach it does not matter.
 */
export function pickPublished<K extends { readonly keyId: string; readonly key: Uint8Array }>(
  keys: readonly K[],
  { find, preferred }: Published,
): K | undefined {
  const published = keys.filter(({ keyId, key }) => {
    const publicKey = find(keyId);
    return publicKey && Buffer.compare(publicKey, publicKeyOf(key)) === 0;
  });
  return published.find(({ keyId }) => keyId === preferred?.keyId) ?? published[0];
}
