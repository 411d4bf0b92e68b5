import type { KeyFileEntry } from "@sallyport/config";
import { type Trust, publicKeyOf } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { CredentialKey } from "./credential.ts";

/**
 * Picks the key that signs credentials: the first of the file. Throws an Error with a sentence for the operator unless
 * the keyset holds its public key under its id, for nobody would believe what it signs.
 */
export function pickCredentialKey(
  [preferred]: readonly KeyFileEntry[],
  trust: Pick<Trust, "publicKey">,
): CredentialKey {
  if (!preferred) throw new Error("SALLYPORT_CREDENTIAL_KEY_FILE holds no key");
  const { keyId, key: seed } = preferred;
  const published = trust.publicKey(KeyUse.CREDENTIAL, keyId);
  if (!published || Buffer.compare(published, publicKeyOf(seed)) !== 0)
    throw new Error(`the keyset does not hold the credential key ${keyId}: sign a keyset with it first`);
  return { keyId, seed };
}
