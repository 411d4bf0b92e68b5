import type { KeyFileEntry } from "@sallyport/config";
import { type Trust, pickPublished } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { CredentialKey } from "./credential.ts";

/**
 * Picks the key that signs credentials: the keyset's preferred one when the file has it, else the
 * first of the file that the keyset names. Throws an Error with a sentence for the operator when it
 * names none, for no process would accept what it signs.
 */
export function pickCredentialKey(
  keys: readonly KeyFileEntry[],
  trust: Pick<Trust, "publicKey" | "preferred">,
): CredentialKey {
  const [first] = keys;
  if (!first) throw new Error("SALLYPORT_CREDENTIAL_KEY_FILE holds no key");
  const find = (keyId: string): Uint8Array | undefined => trust.publicKey(KeyUse.CREDENTIAL, keyId);
  const picked = pickPublished(keys, { find, preferred: trust.preferred(KeyUse.CREDENTIAL) });
  if (!picked)
    throw new Error(
      `the keyset does not hold the credential key ${first.keyId}: sign a keyset with it first`,
    );
  return { keyId: picked.keyId, seed: picked.key };
}
