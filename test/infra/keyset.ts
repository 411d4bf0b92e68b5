import { randomBytes } from "node:crypto";
import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf, signEd25519 } from "@sallyport/evidence";
import {
  KeysetClaimsSchema,
  KeysetSchema,
  type KeysetSignerClaims,
  KeyUse,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type KeysetKey,
  answerOwners,
  signKeyset,
  signKeysetSigner,
} from "@sallyport/proto/signing";

/** An Ed25519 key of a seed, as what signs keysets and their signers. */
export function keysetKeyOf(seed: Uint8Array): KeysetKey {
  return { publicKey: publicKeyOf(seed), sign: (message) => signEd25519(seed, message) };
}

/**
 * What a keyset has to hold: `key-USE` of each use, then `answer-OWNER` of each owner. Nobody has
 * their private halves; the public ones are 32 equal bytes, the number of the use.
 */
export const keysOfEveryUse: readonly {
  readonly keyId: string;
  readonly use: KeyUse;
  readonly holder: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
}[] = [
  ...[KeyUse.CREDENTIAL, KeyUse.SEALING, KeyUse.REPLY, KeyUse.LOG].map((use) => ({
    keyId: `key-${use}`,
    use,
    holder: "",
    publicKey: new Uint8Array(32).fill(use),
  })),
  ...answerOwners.map((holder, at) => ({
    keyId: `answer-${holder}`,
    use: KeyUse.ANSWER,
    holder,
    publicKey: new Uint8Array(32).fill(10 + at),
  })),
];

/**
 * Signs a keyset by a new signer that the root vouches for, for every epoch and as long as the
 * keyset lasts.
 */
export function signTestKeyset(
  rootSeed: Uint8Array,
  claims: MessageInitShape<typeof KeysetClaimsSchema>,
  signer: Partial<KeysetSignerClaims> = {},
): Uint8Array<ArrayBuffer> {
  const [root, key] = [keysetKeyOf(rootSeed), keysetKeyOf(randomBytes(32))];
  const { notAfter } = create(KeysetClaimsSchema, claims);
  const statement = signKeysetSigner(root, {
    keyId: "signer-1",
    publicKey: key.publicKey,
    notBefore: timestampFromMs(0),
    ...(notAfter ? { notAfter } : {}),
    minEpoch: 1,
    maxEpoch: 2 ** 32 - 1,
    ...signer,
  });
  const keyset = signKeyset(key, { rootPublicKey: root.publicKey, signer: statement }, claims);
  return toBinary(KeysetSchema, keyset);
}
