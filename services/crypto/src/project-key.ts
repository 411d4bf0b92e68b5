import { labelled, lengthPrefixed } from "@sallyport/proto/signing";
import {
  checkFingerprint,
  EnvelopeError,
  fingerprintBytes,
  type KekProvider,
  wrappedKeyBytes,
} from "@sallyport/proto/keyring";

/** Whose key it is. */
export type KeyOwner = { readonly vaultId: string; readonly projectId: string };

/** A project key in the clear: 32 bytes that whoever holds it zeroes. */
export type ProjectKey = { readonly generation: number; readonly key: Uint8Array };

const magic = Buffer.from("SPK1");
const generationAt = magic.length + fingerprintBytes;
const wrappedAt = generationAt + 4;
const length = wrappedAt + wrappedKeyBytes;

/** Wraps a project key by the KEK: 84 bytes (ENVELOPE §2). */
export async function wrapProjectKey(
  kek: KekProvider,
  owner: KeyOwner,
  { generation, key }: ProjectKey,
): Promise<Uint8Array> {
  const counted = Buffer.alloc(4);
  counted.writeUInt32BE(generation);
  const wrapped = await kek.wrap(key, associatedData(owner, generation));
  return Buffer.concat([magic, kek.describe().fingerprint, counted, wrapped]);
}

/** Unwraps the project key of that owner. Throws EnvelopeError or WrongKekError (ENVELOPE §2.3). */
export async function unwrapProjectKey(
  kek: KekProvider,
  owner: KeyOwner,
  bytes: Uint8Array,
): Promise<ProjectKey> {
  const wrapped = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (wrapped.length !== length) throw new EnvelopeError("a wrapped project key has 84 bytes");
  if (!wrapped.subarray(0, magic.length).equals(magic))
    throw new EnvelopeError("not a wrapped project key");
  const generation = wrapped.readUInt32BE(generationAt);
  if (generation === 0) throw new EnvelopeError("a project key has generation 0");
  checkFingerprint("the project key", wrapped.subarray(magic.length, generationAt), kek);
  return {
    generation,
    key: await kek.unwrap(wrapped.subarray(wrappedAt), associatedData(owner, generation)),
  };
}

function associatedData({ vaultId, projectId }: KeyOwner, generation: number): Uint8Array {
  return labelled(
    "sallyport-project-key-v1",
    lengthPrefixed(vaultId, projectId, String(generation)),
  );
}
