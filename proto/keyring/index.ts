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
  type KekProvider,
  WrongKekError,
  checkFingerprint,
  createFileKek,
  fingerprintBytes,
  textOf,
  wrappedKeyBytes,
} from "./kek.ts";
export { type KeyFileEntry, KeyFileError, formatKeyFile, parseKeyFile } from "./key-file.ts";
export {
  type Keyring,
  type KeyringEntry,
  fingerprintOfKeyring,
  openKeyring,
  sealKeyring,
  wipeKeyring,
} from "./keyring.ts";
