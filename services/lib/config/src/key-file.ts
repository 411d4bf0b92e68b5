import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { writeNewFile } from "./new-file.ts";
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
 * Reads a key file as keyFile does. Throws with a whole sentence, whose subject is the variable that names the file.
 */
export function readKeyFile(variable: string, file: string): readonly KeyFileEntry[] {
  try {
    return readKeys(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "cannot be read";
    throw new Error(`${variable} ${reason}`, { cause: error });
  }
}

/** The keys of a file, which is made with one new key `<use>-<hex>` when there is none; what exists is kept. */
export function keptOrNewKeys(variable: string, file: string, use: string): readonly KeyFileEntry[] {
  if (!existsSync(file)) writeKeyFile(file, [newKeyFileEntry(use)]);
  return readKeyFile(variable, file);
}

/** A new random key under an id that tells its use. */
export function newKeyFileEntry(use: string): KeyFileEntry {
  return { keyId: `${use}-${randomBytes(4).toString("hex")}`, key: randomBytes(keyBytes) };
}

/** Writes a key file for its owner alone (0600), whole or not at all. Throws when it exists: a key is never overwritten. */
export function writeKeyFile(file: string, keys: readonly KeyFileEntry[]): void {
  const lines = keys.map(({ keyId, key }) => `${keyId} ${Buffer.from(key).toString("base64")}\n`);
  if (lines.length === 0 || !lines.every((line) => keyLine.test(line.trimEnd())))
    throw new Error("a key file needs keys of 32 bytes with ids of letters, digits and ._:-");
  const content = Buffer.from(lines.join(""));
  try {
    writeNewFile(file, content);
  } finally {
    content.fill(0);
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
