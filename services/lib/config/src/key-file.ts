import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { type KeyFileEntry, formatKeyFile, parseKeyFile } from "@sallyport/proto/keyring";
import { writeNewFile } from "./new-file.ts";
import { readPrivateBytes } from "./private-bytes.ts";
import type { Setting } from "./read-settings.ts";

export type { KeyFileEntry } from "@sallyport/proto/keyring";

const keyBytes = 32;

/**
 * The source of a process's keys: a file, and the setting that names it; or, in tests, keys that
 * never change.
 */
export type KeySource =
  | { readonly variable: string; readonly file: string }
  | readonly KeyFileEntry[];

/**
 * The keys of the file whose path is the value: lines `<key-id> <base64 of 32 bytes>`, the newest
 * first. Refused: no key, a malformed line, a key id given twice, a file that is open to everyone
 * or another user's. Empty lines and lines that begin with # are skipped.
 */
export function keyFile(variable: string): Setting<readonly KeyFileEntry[]> {
  return { variable, read: readKeys };
}

/**
 * The file whose path is the value, to be followed: read as keyFile does, when the process starts
 * and later.
 */
export function keySource(variable: string): Setting<KeySource> {
  return {
    variable,
    read(file) {
      readKeys(file);
      return { variable, file };
    },
  };
}

/**
 * Reads a key file as keyFile does. Throws with a whole sentence, whose subject is the variable
 * that names the file.
 */
export function readKeyFile(variable: string, file: string): readonly KeyFileEntry[] {
  return keysOf(variable, readKeyBytes(variable, file));
}

/**
 * The bytes of a key file. Throws as readKeyFile does, for a file that others may read above all.
 */
export function readKeyBytes(variable: string, file: string): Uint8Array {
  return naming(variable, () => readPrivateBytes(file));
}

/** The keys that a key file's bytes hold. Throws as readKeyFile does. */
export function keysOf(variable: string, content: Uint8Array): readonly KeyFileEntry[] {
  return naming(variable, () => parseKeyFile(Buffer.from(content).toString("utf8")));
}

/**
 * The keys of a file, which is made with one new key `<use>-<hex>` when there is none; what exists
 * is kept.
 */
export function keptOrNewKeys(
  variable: string,
  file: string,
  use: string,
): readonly KeyFileEntry[] {
  if (!existsSync(file)) writeKeyFile(file, [newKeyFileEntry(use)]);
  return readKeyFile(variable, file);
}

/** A new random key under an id that tells its use. */
export function newKeyFileEntry(use: string): KeyFileEntry {
  return { keyId: `${use}-${randomBytes(4).toString("hex")}`, key: randomBytes(keyBytes) };
}

/**
 * Writes a key file for its owner alone (0600), whole or not at all. Throws when it exists: a key
 * is never overwritten.
 */
export function writeKeyFile(file: string, keys: readonly KeyFileEntry[]): void {
  const content = formatKeyFile(keys);
  try {
    writeNewFile(file, content);
  } finally {
    content.fill(0);
  }
}

function readKeys(file: string): readonly KeyFileEntry[] {
  return parseKeyFile(Buffer.from(readPrivateBytes(file)).toString("utf8"));
}

function naming<T>(variable: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : "cannot be read";
    throw new Error(`${variable} ${reason}`, { cause: error });
  }
}
