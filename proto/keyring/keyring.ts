import { labelled } from "../signing/labels.ts";
import {
  EnvelopeError,
  keyBytes,
  newKey,
  openBytes,
  sealBytes,
  sealOverheadBytes,
  zeroing,
} from "./aead.ts";
import { type KekProvider, checkFingerprint, fingerprintBytes, wrappedKeyBytes } from "./kek.ts";

/** A key and the id under which others name it. */
export type KeyringEntry = { readonly keyId: string; readonly key: Uint8Array };

/** What crypto holds besides the KEK; the preferred key of each use first. */
export type Keyring = {
  /** HMAC keys shared with policy. */
  readonly permit: readonly KeyringEntry[];
  /** HMAC keys shared with secrets. */
  readonly slip: readonly KeyringEntry[];
  /** X25519 private keys that open sealed writes. */
  readonly sealing: readonly KeyringEntry[];
  /** Ed25519 seeds that sign replies. */
  readonly reply: readonly KeyringEntry[];
};

type Use = keyof Keyring;

const codes: Readonly<Record<Use, number>> = { permit: 1, slip: 2, sealing: 3, reply: 4 };
const uses = ["permit", "slip", "sealing", "reply"] as const satisfies readonly Use[];

const magic = Buffer.from("SPR1");
const headerBytes = magic.length + fingerprintBytes;
const entriesAt = headerBytes + wrappedKeyBytes;
const minBytes = entriesAt + sealOverheadBytes;

/** Seals a keyring under a new keyring key that the KEK wraps (ENVELOPE §4). */
export async function sealKeyring(kek: KekProvider, keyring: Keyring): Promise<Uint8Array> {
  const header = Buffer.concat([magic, kek.describe().fingerprint]);
  return zeroing(newKey(), async (keyringKey) => {
    const wrapped = await kek.wrap(keyringKey, keyAad(header));
    const sealed = await zeroing(encodeEntries(keyring), (entries) =>
      sealBytes(keyringKey, entriesAad(header), entries),
    );
    return Buffer.concat([header, wrapped, sealed]);
  });
}

/**
 * Opens a keyring file. Throws WrongKekError before anything is opened, else EnvelopeError
 * (ENVELOPE §4.3).
 */
export async function openKeyring(kek: KekProvider, bytes: Uint8Array): Promise<Keyring> {
  checkFingerprint("the keyring", fingerprintOfKeyring(bytes), kek);
  const header = bytes.subarray(0, headerBytes);
  const keyringKey = await kek.unwrap(bytes.subarray(headerBytes, entriesAt), keyAad(header));
  return zeroing(keyringKey, (key) =>
    zeroing(openBytes(key, entriesAad(header), bytes.subarray(entriesAt)), decodeEntries),
  );
}

/**
 * The fingerprint of the KEK that a keyring file needs. Throws EnvelopeError when it is none
 * (ENVELOPE §4.3).
 */
export function fingerprintOfKeyring(bytes: Uint8Array): Uint8Array {
  if (bytes.length < minBytes) throw new EnvelopeError("the keyring is cut short");
  if (Buffer.compare(bytes.subarray(0, magic.length), magic) !== 0)
    throw new EnvelopeError("not a keyring");
  return bytes.subarray(magic.length, headerBytes);
}

/** Zeroes every key. The keyring is of no use afterwards. */
export function wipeKeyring(keyring: Keyring): void {
  for (const use of uses) for (const { key } of keyring[use]) key.fill(0);
}

function keyAad(header: Uint8Array): Uint8Array {
  return labelled("sallyport-keyring-key-v1", header);
}

function entriesAad(header: Uint8Array): Uint8Array {
  return labelled("sallyport-keyring-v1", header);
}

function encodeEntries(keyring: Keyring): Uint8Array {
  const entries = uses.flatMap((use) =>
    keyring[use].flatMap(({ keyId, key }) => {
      const id = Buffer.from(keyId);
      return [Buffer.of(codes[use], id.length), id, key];
    }),
  );
  return Buffer.concat(entries);
}

function decodeEntries(bytes: Uint8Array): Keyring {
  const found: Record<Use, KeyringEntry[]> = { permit: [], slip: [], sealing: [], reply: [] };
  let rest = bytes;
  while (rest.length > 0) {
    const idAt = 2;
    const keyAt = idAt + (rest[1] ?? 0);
    const end = keyAt + keyBytes;
    const use = uses.find((candidate) => codes[candidate] === rest[0]);
    if (!use || rest.length < end) throw new EnvelopeError("a keyring entry has another form");
    const keyId = Buffer.from(rest.subarray(idAt, keyAt)).toString("latin1");
    if (!/^[a-z0-9-]{1,64}$/.test(keyId))
      throw new EnvelopeError("a keyring entry has another key id");
    if (found[use].some((entry) => entry.keyId === keyId))
      throw new EnvelopeError("a keyring has a key id twice");
    // A copy: the entries are zeroed.
    found[use].push({ keyId, key: new Uint8Array(rest.subarray(keyAt, end)) });
    rest = rest.subarray(end);
  }
  for (const use of uses)
    if (found[use].length === 0) throw new EnvelopeError(`a keyring has no ${use} key`);
  return found;
}
