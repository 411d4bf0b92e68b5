/** A 32-byte symmetric key or Ed25519 seed, and the id under which others name it. */
export type KeyFileEntry = { readonly keyId: string; readonly key: Uint8Array };

/** A key file does not have its form. The message never holds a line, for the line is a key. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

const keyBytes = 32;
const keyLine = /^([A-Za-z0-9._:-]{1,64}) ([A-Za-z0-9+/]{43}=)$/;

/**
 * Reads a key file: lines `<key-id> <base64 of 32 bytes>`, the newest first. Empty lines and lines
 * that begin with # are skipped. Throws KeyFileError, whose message continues "the file …", for no
 * key, a malformed line or a key id given twice.
 */
export function parseKeyFile(content: string): KeyFileEntry[] {
  const lines = content
    .split("\n")
    .map((line, index) => ({ line: line.trimEnd(), number: index + 1 }));
  const keys = lines
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => {
      const [, keyId, base64 = ""] = keyLine.exec(line) ?? [];
      const key = new Uint8Array(Buffer.from(base64, "base64"));
      const canonical = Buffer.from(key).toString("base64") === base64;
      if (keyId === undefined || key.length !== keyBytes || !canonical)
        throw new KeyFileError(
          `names a key file whose line ${number} is not "<key-id> <base64 of 32 bytes>"`,
        );
      return { keyId, key };
    });
  if (keys.length === 0) throw new KeyFileError("names a key file without keys");
  if (new Set(keys.map(({ keyId }) => keyId)).size < keys.length)
    throw new KeyFileError("names a key file with a key id twice");
  return keys;
}

/**
 * The bytes of a key file, in the order given; the caller zeroes them. Throws KeyFileError for what
 * is no key.
 */
export function formatKeyFile(keys: readonly KeyFileEntry[]): Buffer {
  const lines = keys.map(({ keyId, key }) => `${keyId} ${Buffer.from(key).toString("base64")}\n`);
  if (lines.length === 0 || !lines.every((line) => keyLine.test(line.trimEnd())))
    throw new KeyFileError(
      "a key file needs keys of 32 bytes with ids of letters, digits and ._:-",
    );
  return Buffer.from(lines.join(""));
}
