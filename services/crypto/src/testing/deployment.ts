import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { loadTrust, publicKeyOf } from "@sallyport/evidence";
import {
  KeyUse,
  type PublicKeySchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { rootFingerprint } from "@sallyport/proto/signing";
import { createAnswerKeys, signTestKeyset } from "@sallyport/test/infra";
import { type Keyring, newKey } from "@sallyport/proto/keyring";
import { sealingPublicKeyOf } from "../hpke.ts";

/** The time of every test, Unix milliseconds. */
export const nowMs = 1_790_000_000_000;

/** The public name of every test deployment. */
export const publicName = "sallyport.test:8443";

/**
 * All keys of a deployment, the private ones of other processes included, and one of each thing.
 * For tests only.
 */
export type TestDeployment = ReturnType<typeof createDeployment>;

/** Makes a deployment: root, keyset, keyring, a vault with a project, a machine and a user. */
export function createDeployment() {
  const rootSeed = newKey();
  const identity = { keyId: "identity-1", seed: newKey() };
  const entry = (keyId: string) => [{ keyId, key: newKey() }];
  const keyring: Keyring = {
    permit: entry("permit-1"),
    slip: entry("slip-1"),
    sealing: entry("sealing-1"),
    reply: entry("reply-1"),
  };
  const keyset = signKeyset(rootSeed, [
    { keyId: identity.keyId, use: KeyUse.CREDENTIAL, publicKey: publicKeyOf(identity.seed) },
    ...keyring.sealing.map(({ keyId, key }) => ({
      keyId,
      use: KeyUse.SEALING,
      publicKey: sealingPublicKeyOf(key),
    })),
    ...keyring.reply.map(({ keyId, key }) => ({
      keyId,
      use: KeyUse.REPLY,
      publicKey: publicKeyOf(key),
    })),
    { keyId: "log-1", use: KeyUse.LOG, publicKey: publicKeyOf(newKey()) },
    ...createAnswerKeys().published,
  ]);
  const fingerprint = rootFingerprint(publicKeyOf(rootSeed));
  return {
    rootSeed,
    keyset,
    rootFingerprint: fingerprint,
    trust: loadTrust(keyset, fingerprint, nowMs),
    identity,
    keyring,
    kek: newKey(),
    vaultId: newId("vlt"),
    projectId: newId("prj"),
    machine: { id: newId("mch"), seed: newKey() },
    user: { id: newId("usr"), seed: newKey() },
  };
}

/** Signs a keyset that is valid for a day. */
export function signKeyset(
  rootSeed: Uint8Array,
  keys: readonly MessageInitShape<typeof PublicKeySchema>[],
  epoch = 1,
): Uint8Array {
  const notAfter = timestampFromMs(nowMs + 86_400_000);
  return signTestKeyset(rootSeed, { epoch, notAfter, keys: [...keys] });
}
