import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { privateKeyOf, rawPublicKey } from "@sallyport/client";
import { readKeyBytes, replacePrivateFile } from "@sallyport/client/private-file";
import {
  EnvelopeError,
  type KeyFileEntry,
  KeyFileError,
  type Keyring,
  WrongKekError,
  formatKeyFile,
  kekOfKeyFile,
  openKeyring,
  parseKeyFile,
  sealKeyring,
} from "@sallyport/proto/keyring";
import { KeysetFileError } from "../files.ts";
import type { DeploymentFiles, KeySlot, RotatedUse } from "./key-slot.ts";

/** Private keys of one use, the newest first, in a file that is replaced whole or not at all. */
export type KeyStore = {
  readonly file: string;
  read(): Promise<readonly KeyFileEntry[]>;
  replace(keys: readonly KeyFileEntry[]): Promise<void>;
  /** Time of the last replacement of the file, in Unix milliseconds. */
  changedMs(): Promise<number>;
};

/** The uses whose private keys crypto holds. */
export type KeyringUse = keyof Keyring & RotatedUse;

/** A new key for a slot, under an id that names its use. */
export function newKeyFor({ use, holder }: KeySlot): KeyFileEntry {
  const prefix = holder === undefined ? use : `${use}-${holder}`;
  return { keyId: `${prefix}-${randomBytes(4).toString("hex")}`, key: randomBytes(32) };
}

const x25519Prefix = Buffer.from("302e020100300506032b656e04220420", "hex");

/** The public half of a private key: X25519 for sealing, Ed25519 for all that signs. */
export function publicHalf({ use }: KeySlot, key: Uint8Array): Uint8Array {
  if (use !== "sealing") return rawPublicKey(privateKeyOf(key));
  const der = Buffer.concat([x25519Prefix, key]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(-32));
}

/** The keys of a key file. */
export function keyFileStore(file: string): KeyStore {
  return {
    file,
    read: () => fit(file, async () => parseKeyFile((await readKeyBytes(file)).toString("utf8"))),
    async replace(keys) {
      const content = formatKeyFile(keys);
      try {
        await replacePrivateFile(file, content);
      } finally {
        content.fill(0);
      }
    },
    changedMs: () => changedMs(file),
  };
}

/** The keys of one use in crypto's keyring, which the KEK opens. */
export function keyringStore({ keyring: file, kek }: DeploymentFiles, use: KeyringUse): KeyStore {
  const open = (): Promise<Keyring> =>
    fit(file, async () => openKeyring(await kekIn(kek), await readKeyBytes(file)));
  return {
    file,
    read: async () => (await open())[use],
    async replace(keys) {
      const sealed = await sealKeyring(await kekIn(kek), { ...(await open()), [use]: keys });
      await replacePrivateFile(file, sealed);
    },
    changedMs: () => changedMs(file),
  };
}

async function kekIn(file: string) {
  return fit(file, async () => kekOfKeyFile(await keyFileStore(file).read()));
}

async function changedMs(file: string): Promise<number> {
  return Math.ceil((await stat(file)).mtimeMs);
}

// Security: the message of a cause never holds a key.
async function fit<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const known =
      cause instanceof KeyFileError ||
      cause instanceof EnvelopeError ||
      cause instanceof WrongKekError;
    if (!known) throw cause;
    throw new KeysetFileError(`${file} cannot be used: ${cause.message}`, { cause });
  }
}
