import { randomBytes } from "node:crypto";
import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { publicKeyOf, signEd25519 } from "@sallyport/evidence";
import {
  KeysetClaimsSchema,
  KeysetSchema,
  type KeysetSignerClaims,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type KeysetKey, signKeyset, signKeysetSigner } from "@sallyport/proto/signing";

/** An Ed25519 key of a seed, as what signs keysets and their signers. */
export function keysetKeyOf(seed: Uint8Array): KeysetKey {
  return { publicKey: publicKeyOf(seed), sign: (message) => signEd25519(seed, message) };
}

/** Signs a keyset by a new signer that the root vouches for, for every epoch and as long as the keyset lasts. */
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
