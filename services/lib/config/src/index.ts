export {
  type KeyFileEntry,
  type KeySource,
  keptOrNewKeys,
  keyFile,
  keySource,
  keysOf,
  newKeyFileEntry,
  readKeyBytes,
  readKeyFile,
  writeKeyFile,
} from "./key-file.ts";
export { writeNewFile } from "./new-file.ts";
export { readPrivateBytes } from "./private-bytes.ts";
export {
  ConfigError,
  type Setting,
  type Settings,
  optional,
  readSettings,
} from "./read-settings.ts";
export {
  type Bounds,
  type ListenAddress,
  fileBytes,
  fileText,
  list,
  listen,
  path,
  seconds,
  share,
  text,
  url,
  wholeNumber,
} from "./settings.ts";
