import { labelled, lengthPrefixed } from "@sallyport/proto/signing";
import {
  EnvelopeError,
  type KekName,
  type KekProvider,
  checkKek,
  decodeKekName,
  decodeKekNameV1,
  decodeWrapped,
  encodeKekName,
  encodeWrapped,
  nameEndV1,
  unwrapKey,
  wrappedBytesV1,
} from "@sallyport/proto/keyring";

/** The vault and project that a project key belongs to. */
export type KeyOwner = { readonly vaultId: string; readonly projectId: string };

/** A project key in the clear: 32 bytes that its holder zeroes. */
export type ProjectKey = { readonly generation: number; readonly key: Uint8Array };

const magic = Buffer.from("SPK2");
const magicV1 = Buffer.from("SPK1");
const generationBytes = 4;
const bytesV1 = nameEndV1 + generationBytes + wrappedBytesV1;

/** Wraps a project key by the KEK (ENVELOPE §2). */
export async function wrapProjectKey(
  kek: KekProvider,
  owner: KeyOwner,
  { generation, key }: ProjectKey,
): Promise<Uint8Array> {
  const counted = Buffer.alloc(generationBytes);
  counted.writeUInt32BE(generation);
  const header = Buffer.concat([magic, encodeKekName(await kek.describe()), counted]);
  return Buffer.concat([header, encodeWrapped(await kek.wrap(key, boundTo(owner, header)))]);
}

/**
 * Unwraps the project key of that owner, of either form. Throws EnvelopeError or WrongKekError
 * (ENVELOPE §2.3).
 */
export async function unwrapProjectKey(
  kek: KekProvider,
  owner: KeyOwner,
  bytes: Uint8Array,
): Promise<ProjectKey> {
  const { name, generation, wrapped, aad } = decode(owner, bytes);
  if (generation === 0) throw new EnvelopeError("a project key has generation 0");
  await checkKek("the project key", name, kek);
  return { generation, key: await unwrapKey(kek, wrapped, aad) };
}

/**
 * A wrapped project key in its parts, and the associated data that it must have been wrapped with.
 */
type WrappedProjectKey = {
  readonly name: KekName;
  readonly generation: number;
  readonly wrapped: Uint8Array;
  readonly aad: Uint8Array;
};

function decode(owner: KeyOwner, bytes: Uint8Array): WrappedProjectKey {
  const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const form = found.subarray(0, magic.length);
  if (form.equals(magicV1)) return decodeV1(owner, found);
  if (!form.equals(magic)) throw new EnvelopeError("not a wrapped project key");
  const { name, end: nameEnd } = decodeKekName(found, magic.length);
  const header = found.subarray(0, nameEnd + generationBytes);
  const { wrapped, end } = decodeWrapped(found, header.length);
  if (end !== found.length) throw new EnvelopeError("a wrapped project key has bytes behind it");
  return { name, generation: found.readUInt32BE(nameEnd), wrapped, aad: boundTo(owner, header) };
}

function decodeV1({ vaultId, projectId }: KeyOwner, found: Buffer): WrappedProjectKey {
  if (found.length !== bytesV1)
    throw new EnvelopeError(`a wrapped project key of the first form has ${bytesV1} bytes`);
  const generation = found.readUInt32BE(nameEndV1);
  const fields = lengthPrefixed(vaultId, projectId, String(generation));
  return {
    name: decodeKekNameV1(found),
    generation,
    wrapped: found.subarray(nameEndV1 + generationBytes),
    aad: labelled("sallyport-project-key-v1", fields),
  };
}

// Security: the header names provider, KEK and generation, so none of them can be exchanged.
function boundTo({ vaultId, projectId }: KeyOwner, header: Uint8Array): Uint8Array {
  return labelled("sallyport-project-key-v2", lengthPrefixed(vaultId, projectId), header);
}
