import { readFile } from "node:fs/promises";
import { KeyUse, type PublicKey } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { KeysetFileError } from "./files.ts";

/** A public key as the program that made it prints it. */
export type PublishedKey = {
  readonly keyId: string;
  readonly use: string;
  readonly holder?: string;
  readonly publicKey: string;
};

/**
 * Reads what the programs that make keys printed, `{"keys": [{"keyId", "use", "publicKey"}]}`, in
 * this order.
 */
export async function readPublishedKeys(files: readonly string[]): Promise<PublishedKeys> {
  const keys = await Promise.all(
    files.map(async (file) => keysIn(await readFile(file, "utf8"), file)),
  );
  return keys.flat();
}

/** The keys of a keyset, as renewKeyset takes them. */
export type PublishedKeys = readonly Pick<PublicKey, "keyId" | "use" | "publicKey" | "holder">[];

/** Reads a printed key. Throws KeysetFileError for a use that there is not. */
export function keyIn({ keyId, use, holder = "", publicKey }: PublishedKey): PublishedKeys[number] {
  const known = Object.entries(KeyUse).find(([name]) => name === use)?.[1];
  if (typeof known !== "number")
    throw new KeysetFileError(`${keyId} is for ${use}, which is no use of a key`);
  return { keyId, use: known, holder, publicKey: new Uint8Array(Buffer.from(publicKey, "base64")) };
}

function keysIn(text: string, file: string): PublishedKeys {
  let parsed: { keys?: unknown };
  try {
    parsed = JSON.parse(text) as { keys?: unknown };
  } catch (cause) {
    throw new KeysetFileError(`${file} is not what a program that makes keys prints`, { cause });
  }
  const { keys } = parsed;
  if (!Array.isArray(keys) || !keys.every(isPrinted))
    throw new KeysetFileError(`${file} is not what a program that makes keys prints`);
  return keys.map(keyIn);
}

function isPrinted(key: unknown): key is PublishedKey {
  if (typeof key !== "object" || key === null) return false;
  return ["keyId", "use", "publicKey"].every((name) => typeof Reflect.get(key, name) === "string");
}
