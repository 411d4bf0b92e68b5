import { existsSync, readFileSync } from "node:fs";
import { newKeyFileEntry, readKeyFile, writeKeyFile, writeNewFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { sameBytes } from "./evidence.ts";
import { sealingPublicKeyOf } from "./hpke.ts";
import {
  createFileKek,
  fingerprintOfKeyring,
  type KekProvider,
  type Keyring,
  type KeyringEntry,
  openKeyring,
  sealKeyring,
  textOf,
  wipeKeyring,
} from "@sallyport/proto/keyring";

/** Where the files of the ceremony are or shall be. */
export type CeremonyFiles = {
  readonly kekFile: string;
  readonly keyringFile: string;
  readonly permitKeyFile: string;
  readonly slipKeyFile: string;
};

/**
 * What the root has to sign into the keyset, and by which fingerprint to know the KEK. Public keys
 * are in base64.
 */
export type CeremonyResult = {
  readonly kekFingerprint: string;
  readonly keys: readonly {
    readonly keyId: string;
    readonly use: "SEALING" | "REPLY";
    readonly publicKey: string;
  }[];
};

/**
 * Makes KEK, keyring and both MAC key files, each 0600, as far as they do not exist yet; what
 * exists is checked and kept. So a ceremony that was cut short is finished by the next. Throws with
 * one sentence when files do not belong together.
 */
export async function holdCeremony(files: CeremonyFiles): Promise<CeremonyResult> {
  const kek = createFileKek(keptOrNewKek(files));
  const keyring = await keptOrNewKeyring(files.keyringFile, kek);
  try {
    shareMacKeys("SALLYPORT_PERMIT_KEY_FILE", files.permitKeyFile, keyring.permit);
    shareMacKeys("SALLYPORT_SLIP_KEY_FILE", files.slipKeyFile, keyring.slip);
    return {
      kekFingerprint: textOf(kek.describe().fingerprint),
      keys: [
        ...published("SEALING", keyring.sealing, sealingPublicKeyOf),
        ...published("REPLY", keyring.reply, publicKeyOf),
      ],
    };
  } finally {
    wipeKeyring(keyring);
  }
}

function keptOrNewKek({ kekFile, keyringFile }: CeremonyFiles): Uint8Array {
  if (existsSync(kekFile)) {
    const [kek, ...others] = readKeyFile("SALLYPORT_KEK_FILE", kekFile);
    if (!kek || others.length > 0)
      throw new Error("SALLYPORT_KEK_FILE names a file with more than one key");
    return kek.key;
  }
  if (existsSync(keyringFile)) {
    const needed = textOf(fingerprintOfKeyring(readFileSync(keyringFile)));
    throw new Error(`the keyring needs the KEK ${needed}, but ${kekFile} is missing`);
  }
  const kek = newKeyFileEntry("kek");
  writeKeyFile(kekFile, [kek]);
  return kek.key;
}

async function keptOrNewKeyring(file: string, kek: KekProvider): Promise<Keyring> {
  if (existsSync(file)) return openKeyring(kek, readFileSync(file));
  const keyring = {
    permit: [newKeyFileEntry("permit")],
    slip: [newKeyFileEntry("slip")],
    sealing: [newKeyFileEntry("sealing")],
    reply: [newKeyFileEntry("reply")],
  };
  writeNewFile(file, await sealKeyring(kek, keyring));
  return keyring;
}

// The other process must have just these keys, or every permit and slip would be refused.
function shareMacKeys(setting: string, file: string, keys: readonly KeyringEntry[]): void {
  if (!existsSync(file)) return writeKeyFile(file, keys);
  const kept = readKeyFile(setting, file);
  const same = keys.every(({ keyId, key }) =>
    kept.some((other) => other.keyId === keyId && sameBytes(other.key, key)),
  );
  if (!same || kept.length !== keys.length)
    throw new Error(`${file} does not hold the keys of the keyring`);
}

function published(
  use: "SEALING" | "REPLY",
  keys: readonly KeyringEntry[],
  publicKeyOf: (key: Uint8Array) => Uint8Array,
): CeremonyResult["keys"] {
  return keys.map(({ keyId, key }) => ({
    keyId,
    use,
    publicKey: Buffer.from(publicKeyOf(key)).toString("base64"),
  }));
}
