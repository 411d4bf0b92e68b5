import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { labelled, lengthPrefixed } from "@sallyport/proto/signing";
import {
  EnvelopeError,
  keyBytes,
  newKey,
  openBytes,
  sealBytes,
  sealOverheadBytes,
} from "@sallyport/proto/keyring";
import type { ProjectKey } from "./project-key.ts";

/** The binding of an envelope to one version of one secret; it opens under no other. */
export type EnvelopeBinding = {
  readonly vaultId: string;
  readonly projectId: string;
  readonly secretId: string;
  readonly version: number;
};

/** The layouts that a plaintext can have. */
export type PlaintextKind = typeof ValueKind.SINGLE | typeof ValueKind.FIELDS;

/**
 * The header of an envelope, unauthenticated before it is opened. Only `plaintextBytes` is certain.
 */
export type EnvelopeOutline = {
  readonly kind: PlaintextKind;
  readonly generation: number;
  readonly plaintextBytes: number;
};

/** The longest plaintext, in bytes. */
export const maxPlaintextBytes = 65_536;

const magic = Buffer.from("SPE1");
const headerBytes = magic.length + 1 + 4;
const valueAt = headerBytes + keyBytes + sealOverheadBytes;
const overheadBytes = valueAt + sealOverheadBytes;

/** Tells whether a number is that of a layout. */
export function isPlaintextKind(kind: number): kind is PlaintextKind {
  return kind === ValueKind.SINGLE || kind === ValueKind.FIELDS;
}

/**
 * Seals a plaintext of at most 64 KiB under a new data key (ENVELOPE §3). Throws EnvelopeError when
 * it is longer.
 */
export function sealEnvelope(
  plaintext: Uint8Array,
  kind: PlaintextKind,
  binding: EnvelopeBinding,
  projectKey: ProjectKey,
): Uint8Array {
  if (plaintext.length > maxPlaintextBytes)
    throw new EnvelopeError("a plaintext has at most 65,536 bytes");
  const header = headerOf(kind, projectKey.generation);
  const dataKey = newKey();
  try {
    const wrappedDataKey = sealBytes(projectKey.key, dataKeyAad(binding, header), dataKey);
    return Buffer.concat([
      header,
      wrappedDataKey,
      sealBytes(dataKey, valueAad(binding, header), plaintext),
    ]);
  } finally {
    dataKey.fill(0);
  }
}

/**
 * Reads an envelope's outline and checks its form, without a key. Throws EnvelopeError (ENVELOPE
 * §3.4).
 */
export function outlineEnvelope(bytes: Uint8Array): EnvelopeOutline {
  const envelope = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const plaintextBytes = envelope.length - overheadBytes;
  if (plaintextBytes < 0 || plaintextBytes > maxPlaintextBytes)
    throw new EnvelopeError("an envelope has 97 to 65,633 bytes");
  if (!envelope.subarray(0, magic.length).equals(magic)) throw new EnvelopeError("not an envelope");
  const kind = envelope.readUInt8(magic.length);
  if (!isPlaintextKind(kind)) throw new EnvelopeError("an envelope is of no known kind");
  const generation = envelope.readUInt32BE(magic.length + 1);
  if (generation === 0) throw new EnvelopeError("an envelope has generation 0");
  return { kind, generation, plaintextBytes };
}

/**
 * Opens an envelope under its binding; the caller zeroes the plaintext. Throws EnvelopeError
 * (ENVELOPE §3.4).
 */
export function openEnvelope(
  envelope: Uint8Array,
  binding: EnvelopeBinding,
  projectKey: ProjectKey,
): { readonly kind: PlaintextKind; readonly plaintext: Uint8Array<ArrayBuffer> } {
  const { kind, generation } = outlineEnvelope(envelope);
  if (generation !== projectKey.generation)
    throw new EnvelopeError("the envelope is of another generation than the key");
  const header = envelope.subarray(0, headerBytes);
  const dataKey = openBytes(
    projectKey.key,
    dataKeyAad(binding, header),
    envelope.subarray(headerBytes, valueAt),
  );
  try {
    return {
      kind,
      plaintext: openBytes(dataKey, valueAad(binding, header), envelope.subarray(valueAt)),
    };
  } finally {
    dataKey.fill(0);
  }
}

function headerOf(kind: PlaintextKind, generation: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt8(kind, magic.length);
  header.writeUInt32BE(generation, magic.length + 1);
  return header;
}

function dataKeyAad(binding: EnvelopeBinding, header: Uint8Array): Uint8Array {
  return labelled("sallyport-data-key-v1", bindingBytes(binding), header);
}

function valueAad(binding: EnvelopeBinding, header: Uint8Array): Uint8Array {
  return labelled("sallyport-value-v1", bindingBytes(binding), header);
}

function bindingBytes({ vaultId, projectId, secretId, version }: EnvelopeBinding): Uint8Array {
  return lengthPrefixed(vaultId, projectId, secretId, String(version));
}
