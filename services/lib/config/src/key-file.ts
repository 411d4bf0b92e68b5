import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import type { Setting } from "./read-settings.ts";

/** A 32-byte symmetric key or Ed25519 seed, and the id under which others name it. */
export type KeyFileEntry = { readonly keyId: string; readonly key: Uint8Array };

const keyBytes = 32;
const keyLine = /^([A-Za-z0-9._:-]{1,64}) ([A-Za-z0-9+/]{43}=)$/;

/**
 * The keys of the file whose path is the value: lines `<key-id> <base64 of 32 bytes>`, the preferred first. Refused: no
 * key, a malformed line, a key id given twice, a file that is open to everyone. Empty lines and lines that begin with # are skipped.
 */
export function keyFile(variable: string): Setting<readonly KeyFileEntry[]> {
  return { variable, read: readKeys };
}

/**
 * Writes a key file for its owner alone (0600) and syncs it. Throws when the file exists: a key is never overwritten.
 */
export function writeKeyFile(file: string, keys: readonly KeyFileEntry[]): void {
  const lines = keys.map(({ keyId, key }) => `${keyId} ${Buffer.from(key).toString("base64")}\n`);
  if (lines.length === 0 || !lines.every((line) => keyLine.test(line.trimEnd())))
    throw new Error("a key file needs keys of 32 bytes with ids of letters, digits and ._:-");
  const content = Buffer.from(lines.join(""));
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    content.fill(0);
    closeSync(descriptor);
  }
}

function readKeys(file: string): readonly KeyFileEntry[] {
  if ((statSync(file).mode & 0o007) !== 0)
    throw new Error(
      "names a key file that everyone on the machine may open: take that away with chmod o-rwx",
    );
  const keys = parseKeys(readFileSync(file, "utf8"));
  if (keys.length === 0) throw new Error("names a key file without keys");
  if (new Set(keys.map(({ keyId }) => keyId)).size < keys.length)
    throw new Error("names a key file with a key id twice");
  return keys;
}

// Security: a message never holds the line, for the line is a key.
function parseKeys(content: string): KeyFileEntry[] {
  const lines = content.split("\n").map((line, index) => ({ line: line.trimEnd(), number: index + 1 }));
  return lines
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => {
      const [, keyId, base64 = ""] = keyLine.exec(line) ?? [];
      const key = new Uint8Array(Buffer.from(base64, "base64"));
      const canonical = Buffer.from(key).toString("base64") === base64;
      if (keyId === undefined || key.length !== keyBytes || !canonical)
        throw new Error(`names a key file whose line ${number} is not "<key-id> <base64 of 32 bytes>"`);
      return { keyId, key };
    });
}
