import { existsSync, readFileSync } from "node:fs";
import { newKeyFileEntry, readKeyFile, writeKeyFile, writeNewFile } from "@sallyport/config";
import { publicKeyOf } from "@sallyport/evidence";
import { sameBytes } from "./evidence.ts";
import { sealingPublicKeyOf } from "./hpke.ts";
import {
  type KekProvider,
  type KekSetting,
  KeyFileError,
  type Keyring,
  type KeyringEntry,
  kekOfKeyFile,
  kekOfKeyring,
  kekText,
  openKeyring,
  sealKeyring,
  wipeKeyring,
} from "@sallyport/proto/keyring";

/** The paths of the ceremony's key files, which exist or will be made. */
export type CeremonyFiles = {
  readonly kek: KekSetting;
  readonly keyringFile: string;
  readonly permitKeyFile: string;
  readonly slipKeyFile: string;
};

/** The name of the KEK, and the public keys for the root to sign into the keyset, in base64. */
export type CeremonyResult = {
  readonly kek: string;
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
  const kek = keptOrNewKek(files);
  const keyring = await keptOrNewKeyring(files.keyringFile, kek);
  try {
    shareMacKeys("SALLYPORT_PERMIT_KEY_FILE", files.permitKeyFile, keyring.permit);
    shareMacKeys("SALLYPORT_SLIP_KEY_FILE", files.slipKeyFile, keyring.slip);
    return {
      kek: kekText(await kek.describe()),
      keys: [
        ...published("SEALING", keyring.sealing, sealingPublicKeyOf),
        ...published("REPLY", keyring.reply, publicKeyOf),
      ],
    };
  } finally {
    wipeKeyring(keyring);
  }
}

function keptOrNewKek({ kek: { file }, keyringFile }: CeremonyFiles): KekProvider {
  if (existsSync(file)) return onlyKek(readKeyFile("SALLYPORT_KEK", file));
  if (existsSync(keyringFile)) {
    const needed = kekText(kekOfKeyring(readFileSync(keyringFile)));
    throw new Error(`the keyring needs the KEK ${needed}, but ${file} is missing`);
  }
  const kek = newKeyFileEntry("kek");
  writeKeyFile(file, [kek]);
  return onlyKek([kek]);
}

function onlyKek(keys: readonly KeyringEntry[]): KekProvider {
  try {
    return kekOfKeyFile(keys);
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    throw new Error(`SALLYPORT_KEK ${error.message}`, { cause: error });
  }
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
