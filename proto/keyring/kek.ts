import { createHash } from "node:crypto";
import { labelled } from "../signing/labels.ts";
import { EnvelopeError, keyBytes, openBytes, sealBytes } from "./aead.ts";
import { type KeyFileEntry, KeyFileError } from "./key-file.ts";

/** The name of a KEK: its provider, and the key as that provider names it (ENVELOPE §1.6). */
export type KekName = { readonly provider: string; readonly key: string };

/**
 * A key-encryption key and its home: a file now, a KMS or HSM later. The KEK itself never leaves
 * its provider.
 */
export type KekProvider = {
  /** Names the KEK that wraps. Throws when the provider cannot be reached. */
  describe(): KekName | Promise<KekName>;
  /** Wraps a 32-byte key into 1 to 1,024 bytes, bound to the associated data (ENVELOPE §1.7). */
  wrap(key: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
  /**
   * Unwraps; the caller zeroes the key. Throws EnvelopeError when KEK, associated data or bytes are
   * not the same.
   */
  unwrap(wrapped: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
};

/** Bytes name another KEK than the one given. The message names both (ENVELOPE §1.9). */
export class WrongKekError extends Error {
  override readonly name = "WrongKekError";

  constructor(what: string, needed: KekName, given: KekName) {
    super(`${what} needs the KEK ${kekText(needed)}, but the KEK given is ${kekText(given)}`);
  }
}

/** A KEK setting is malformed. The message continues the name of the setting. */
export class KekSettingError extends Error {
  override readonly name = "KekSettingError";
}

/** A KEK setting, parsed: where the KEK is. */
export type KekSetting = { readonly scheme: "file"; readonly file: string };

/** The schemes of a KEK setting, as an operator writes them. */
const knownSchemes = "file:PATH";

/**
 * Parses a KEK setting, SCHEME:REST. Throws KekSettingError, which lists the schemes, for another
 * one.
 */
export function parseKekSetting(setting: string): KekSetting {
  const found = /^([a-z][a-z0-9-]*):(.*)/s.exec(setting);
  if (!found) throw new KekSettingError(`has no scheme; the known schemes are: ${knownSchemes}`);
  const [, scheme, rest] = found;
  if (scheme !== "file")
    throw new KekSettingError(
      `has the unknown scheme ${scheme}; the known schemes are: ${knownSchemes}`,
    );
  if (!rest) throw new KekSettingError("names no file after file:");
  return { scheme, file: rest };
}

/** Makes the provider of a KEK that was read from a file: 32 bytes. */
export function createFileKek(kek: Uint8Array): KekProvider {
  if (kek.length !== keyBytes) throw new RangeError("a KEK has 32 bytes");
  const name = { provider: "file", key: fingerprintOf(kek) };
  return {
    describe: () => name,
    wrap: async (key, aad) => sealBytes(kek, aad, key),
    unwrap: async (wrapped, aad) => openBytes(kek, aad, wrapped),
  };
}

/** Makes the provider of the only key of a key file. Throws KeyFileError for more than one. */
export function kekOfKeyFile([only, ...others]: readonly KeyFileEntry[]): KekProvider {
  if (!only || others.length > 0) throw new KeyFileError("names a key file with more than one KEK");
  return createFileKek(only.key);
}

/** Throws WrongKekError unless the KEK named is the provider's. */
export async function checkKek(what: string, needed: KekName, kek: KekProvider): Promise<void> {
  const given = await kek.describe();
  if (needed.provider !== given.provider || needed.key !== given.key)
    throw new WrongKekError(what, needed, given);
}

/** Unwraps a 32-byte key. Throws EnvelopeError, also for a key of another length. */
export async function unwrapKey(
  kek: KekProvider,
  wrapped: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array> {
  const key = await kek.unwrap(wrapped, aad);
  if (key.length === keyBytes) return key;
  key.fill(0);
  throw new EnvelopeError("a wrapped key has another length than 32 bytes");
}

/** Formats a KEK's name for people: "file:" and 32 lower-case hex digits. */
export function kekText({ provider, key }: KekName): string {
  return `${provider}:${key}`;
}

function fingerprintOf(kek: Uint8Array): string {
  const digest = createHash("sha256").update(labelled("sallyport-kek-v1", kek)).digest("hex");
  return digest.slice(0, 32);
}
