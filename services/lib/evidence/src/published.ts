import type { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { publicKeyOf } from "./ed25519.ts";
import type { Trust } from "./trust.ts";

/**
 * The Ed25519 key to sign with, out of those that a process holds: the keyset's preferred one when it is among them, else
 * the first that the keyset names with its public key; undefined when it names none. So a keyset decides which key signs,
 * and a process that does not have the preferred one yet goes on with one that everybody accepts.
 */
export function pickPublished<K extends { readonly keyId: string; readonly key: Uint8Array }>(
  keys: readonly K[],
  use: KeyUse,
  trust: Pick<Trust, "publicKey" | "preferred">,
): K | undefined {
  const published = keys.filter(({ keyId, key }) => {
    const publicKey = trust.publicKey(use, keyId);
    return publicKey && Buffer.compare(publicKey, publicKeyOf(key)) === 0;
  });
  const { keyId } = trust.preferred(use);
  return published.find((key) => key.keyId === keyId) ?? published[0];
}
