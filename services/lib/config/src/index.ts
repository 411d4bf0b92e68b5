/**
 * Reads the settings of a process from its environment and from the files that they name, as typed
 * values. It exists so that a process either has every setting or does not start: a missing, wrong
 * or unknown variable is named, all at once. It promises that a key file that others may read is
 * refused. It must never put the content of a file into an error.
 */
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
