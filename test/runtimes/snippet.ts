import { ed25519, openReader } from "@sallyport/client/core";

/** The identity of a machine, as "sallyport enroll" writes it. */
type Identity = {
  readonly url: string;
  readonly rootFingerprint: string;
  readonly keyId: string;
  readonly seed: string;
};

/** Reads secrets and returns their values by name. */
export async function readSecrets(identity: Identity, secretIds: readonly string[]) {
  const seed = Uint8Array.from(atob(identity.seed), (character) => character.charCodeAt(0));
  const reader = openReader(identity, await ed25519.signingKey(seed));
  const values: Record<string, string> = {};
  for (const secret of await reader.read({ secretIds }))
    if (secret.kind === "value") values[secret.name] = new TextDecoder().decode(secret.plaintext);
  reader.close();
  return values;
}
