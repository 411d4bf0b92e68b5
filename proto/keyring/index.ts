/**
 * Key files, KEKs and the keyring: the byte forms of the private keys that crypto and the commands
 * of a key ceremony share. It exists because both `sallyport keyset rotate` and crypto open and
 * seal the keyring. It seals and opens bytes that it is given; it reads and writes no file, and no
 * error of it holds a key. The forms are those of services/crypto/ENVELOPE.md.
 */
export {
  EnvelopeError,
  keyBytes,
  newKey,
  openBytes,
  sealBytes,
  sealOverheadBytes,
  zeroing,
} from "./aead.ts";
export {
  type KekName,
  type KekProvider,
  type KekSetting,
  KekSettingError,
  WrongKekError,
  checkKek,
  createFileKek,
  kekOfKeyFile,
  kekText,
  parseKekSetting,
  unwrapKey,
} from "./kek.ts";
export { type KeyFileEntry, KeyFileError, formatKeyFile, parseKeyFile } from "./key-file.ts";
export {
  type Keyring,
  type KeyringEntry,
  kekOfKeyring,
  openKeyring,
  sealKeyring,
  wipeKeyring,
} from "./keyring.ts";
export {
  decodeKekNameV1,
  decodeKekName,
  decodeWrapped,
  encodeKekName,
  encodeWrapped,
  nameEndV1,
  wrappedBytesV1,
} from "./wrapped-key.ts";
