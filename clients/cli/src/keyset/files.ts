import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { privateKeyOf, rawPublicKey, signBytes } from "@sallyport/client";
import { readPrivateFile, writePrivateFile, writePublicFile } from "@sallyport/client/private-file";
import {
  type Keyset,
  KeysetSchema,
  type KeysetSigner,
  KeysetSignerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { CliError } from "../app/failure.ts";
import type { KeysetKey } from "@sallyport/proto/signing";

/** Says what is wrong with the files of a keyset, and what to do. */
export class KeysetFileError extends CliError {
  override readonly name: string = "KeysetFileError";

  constructor(message: string, details: { readonly cause?: unknown; readonly next?: string } = {}) {
    super("KEYSET_UNFIT", message, details);
  }
}

/** The key that signs keysets, and what the root says of it. */
export type Signer = {
  readonly key: KeysetKey;
  readonly seed: Uint8Array;
  readonly rootPublicKey: Uint8Array;
  readonly signer: KeysetSigner;
};

/** A keyset folder: the signer, which is secret, and the newest keyset, which is public. */
export const filesOf = (dir: string): { readonly signer: string; readonly keyset: string } => ({
  signer: join(dir, "signer.json"),
  keyset: join(dir, "keyset.bin"),
});

/** An Ed25519 key of a seed, as what signs keysets and their signers. */
export function keyOf(seed: Uint8Array): KeysetKey {
  const privateKey = privateKeyOf(seed);
  return { publicKey: rawPublicKey(privateKey), sign: (message) => signBytes(privateKey, message) };
}

/** Reads the root's seed: 32 bytes in base64, in a file for its owner alone. */
export async function readRootKey(file: string): Promise<KeysetKey> {
  const text = await readPrivateFile(file);
  if (text === undefined)
    throw new KeysetFileError(`there is no root key at ${file}: bring it to this machine first`);
  return keyOf(seedIn(text.trim(), file));
}

/** Reads the signer of a keyset folder; undefined when it has none. */
export async function readSigner(dir: string): Promise<Signer | undefined> {
  const file = filesOf(dir).signer;
  const text = await readPrivateFile(file);
  if (text === undefined) return undefined;
  const { seed, rootPublicKey, payload, signature } = fieldsOf(text, file);
  const signer = create(KeysetSignerSchema, {
    payload: base64(payload),
    signature: base64(signature),
  });
  const bytes = seedIn(seed, file);
  return { key: keyOf(bytes), seed: bytes, rootPublicKey: base64(rootPublicKey), signer };
}

/** Writes the signer of a keyset folder, which replaces the one before whole or not at all. */
export async function writeSigner(
  dir: string,
  { seed, rootPublicKey, signer }: Omit<Signer, "key">,
): Promise<void> {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  const fields = {
    seed: text(seed),
    rootPublicKey: text(rootPublicKey),
    payload: text(signer.payload),
    signature: text(signer.signature),
  };
  await writePrivateFile(filesOf(dir).signer, `${JSON.stringify(fields, undefined, 2)}\n`);
}

/** Reads a keyset file, verifying nothing; undefined when there is none. */
export async function readKeyset(file: string): Promise<Keyset | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return fromBinary(KeysetSchema, bytes);
  } catch (cause) {
    throw new KeysetFileError(`${file} is no keyset: put it back from a copy`, { cause });
  }
}

/** Writes a keyset file, whole or not at all, for everybody to read. */
export async function writeKeyset(file: string, keyset: Keyset): Promise<void> {
  await writePublicFile(file, toBinary(KeysetSchema, keyset));
}

function fieldsOf(text: string, file: string): Readonly<Record<string, string>> {
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    if (Object.values(fields).every((value) => typeof value === "string"))
      return fields as Record<string, string>;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw new KeysetFileError(
    `${file} is damaged: put it back from a copy, or sign a new one with the root key`,
  );
}

function base64(text = ""): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function seedIn(text = "", file: string): Uint8Array {
  const seed = base64(text);
  if (seed.length !== 32)
    throw new KeysetFileError(`${file} does not hold a key of 32 bytes in base64`);
  return seed;
}
