export {
  type KeyFileEntry,
  keptOrNewKeys,
  keyFile,
  newKeyFileEntry,
  readKeyFile,
  writeKeyFile,
} from "./key-file.ts";
export { writeNewFile } from "./new-file.ts";
export { ConfigError, type Setting, type Settings, optional, readSettings } from "./read-settings.ts";
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
