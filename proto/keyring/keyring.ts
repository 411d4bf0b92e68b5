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
import { type KekName, type KekProvider, checkKek, unwrapKey } from "./kek.ts";
import {
  decodeKekNameV1,
  decodeKekName,
  decodeWrapped,
  encodeKekName,
  encodeWrapped,
  nameEndV1,
  wrappedBytesV1,
} from "./wrapped-key.ts";

/** A key and the id under which others name it. */
export type KeyringEntry = { readonly keyId: string; readonly key: Uint8Array };

/** Crypto's private keys besides the KEK; the preferred key of each use first. */
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

const magic = Buffer.from("SPR2");
const magicV1 = Buffer.from("SPR1");

/** Seals a keyring under a new keyring key that the KEK wraps (ENVELOPE §4). */
export async function sealKeyring(kek: KekProvider, keyring: Keyring): Promise<Uint8Array> {
  const header = Buffer.concat([magic, encodeKekName(await kek.describe())]);
  return zeroing(newKey(), async (keyringKey) => {
    const wrapped = encodeWrapped(await kek.wrap(keyringKey, keyAad("v2", header)));
    const sealed = await zeroing(encodeEntries(keyring), (entries) =>
      sealBytes(keyringKey, entriesAad("v2", header), entries),
    );
    return Buffer.concat([header, wrapped, sealed]);
  });
}

/**
 * Opens a keyring file of either form. Throws WrongKekError before anything is opened, else
 * EnvelopeError (ENVELOPE §4.3).
 */
export async function openKeyring(kek: KekProvider, bytes: Uint8Array): Promise<Keyring> {
  const { form, name, header, wrapped, sealed } = decodeKeyring(bytes);
  await checkKek("the keyring", name, kek);
  return zeroing(await unwrapKey(kek, wrapped, keyAad(form, header)), (key) =>
    zeroing(openBytes(key, entriesAad(form, header), sealed), decodeEntries),
  );
}

/** Names the KEK that a keyring file needs. Throws EnvelopeError when it is none. */
export function kekOfKeyring(bytes: Uint8Array): KekName {
  return decodeKeyring(bytes).name;
}

type Form = "v1" | "v2";

/** A keyring file in its parts; nothing is opened yet. */
type SealedKeyring = {
  readonly form: Form;
  readonly name: KekName;
  readonly header: Uint8Array;
  readonly wrapped: Uint8Array;
  readonly sealed: Uint8Array;
};

function decodeKeyring(bytes: Uint8Array): SealedKeyring {
  const found = bytes.subarray(0, magic.length);
  const form = magic.equals(found) ? "v2" : magicV1.equals(found) ? "v1" : undefined;
  if (form === undefined) throw new EnvelopeError("not a keyring");
  const parts = form === "v2" ? decodeParts(bytes) : decodePartsV1(bytes);
  if (parts.sealed.length < sealOverheadBytes) throw new EnvelopeError("the keyring is cut short");
  return { form, ...parts };
}

function decodeParts(bytes: Uint8Array): Omit<SealedKeyring, "form"> {
  const { name, end: headerEnd } = decodeKekName(bytes, magic.length);
  const { wrapped, end } = decodeWrapped(bytes, headerEnd);
  return { name, header: bytes.subarray(0, headerEnd), wrapped, sealed: bytes.subarray(end) };
}

function decodePartsV1(bytes: Uint8Array): Omit<SealedKeyring, "form"> {
  const wrappedEnd = nameEndV1 + wrappedBytesV1;
  return {
    name: decodeKekNameV1(bytes),
    header: bytes.subarray(0, nameEndV1),
    wrapped: bytes.subarray(nameEndV1, wrappedEnd),
    sealed: bytes.subarray(wrappedEnd),
  };
}

/** Zeroes every key. The keyring is of no use afterwards. */
export function wipeKeyring(keyring: Keyring): void {
  for (const use of uses) for (const { key } of keyring[use]) key.fill(0);
}

function keyAad(form: Form, header: Uint8Array): Uint8Array {
  return labelled(`sallyport-keyring-key-${form}`, header);
}

function entriesAad(form: Form, header: Uint8Array): Uint8Array {
  return labelled(`sallyport-keyring-${form}`, header);
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
