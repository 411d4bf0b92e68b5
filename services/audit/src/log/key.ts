import { pickPublished } from "@sallyport/evidence";
import { KeyUse } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

type Key = { readonly keyId: string; readonly key: Uint8Array };

type LogKeys = {
  publicKey(use: KeyUse, keyId: string): Uint8Array | undefined;
  preferred(use: KeyUse): { readonly keyId: string } | undefined;
};

/**
 * Picks the key that signs the log: the keyset's preferred one when the file has it, else the first
 * of the file that the keyset names, with its public half, for the use LOG. Throws an Error with a
 * sentence for the operator when it names none, since no signature of such a key could be verified.
 */
export function pickLogKey(keys: readonly Key[], trust: LogKeys): Key {
  const find = (keyId: string): Uint8Array | undefined => trust.publicKey(KeyUse.LOG, keyId);
  const picked = pickPublished(keys, { find, preferred: trust.preferred(KeyUse.LOG) });
  if (picked) return picked;
  const held = keys.map(({ keyId }) => keyId).join(" ");
  throw new Error(
    `SALLYPORT_LOG_KEY_FILE holds no log key of the keyset (it holds ${held}): give audit the ` +
      "key file that its key-create.ts made, or sign a keyset with the public half of this one",
  );
}
