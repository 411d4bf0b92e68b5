import { existsSync, readFileSync } from "node:fs";
import { createPublicKey } from "node:crypto";
import { privateKeyOf, rawPublicKey } from "@sallyport/client";
import type { Identity } from "@sallyport/client/identity";
import { parseKeyId } from "@sallyport/proto/signing";
import { UsageError } from "../app/failure.ts";
import type { KeyGiven } from "./check.ts";

const next = "give --key the signer's public key: 32 bytes in base64 or hex, or a PEM file";

/**
 * Reads a public key: 32 bytes in base64, base64url or hex, or the name of a PEM file that has one.
 * UsageError.
 */
export function readPublicKey(typed: string): Uint8Array {
  const bytes = /^[0-9a-fA-F]{64}$/.test(typed)
    ? Buffer.from(typed, "hex")
    : Buffer.from(typed, "base64");
  if (bytes.length === 32 && /^[\w+/=-]{43,64}$/.test(typed)) return new Uint8Array(bytes);
  if (!existsSync(typed)) throw new UsageError("--key is no public key, and no file", next);
  try {
    const key = createPublicKey(readFileSync(typed));
    if (key.asymmetricKeyType === "ed25519")
      return new Uint8Array(key.export({ format: "der", type: "spki" }).subarray(-32));
  } catch {
    // Not passed on: the message could quote the file, which may be a private key.
  }
  throw new UsageError(`${typed} has no Ed25519 key in PEM`, next);
}

/**
 * Finds the key that must have signed under a keyid: the one that was given, the one that `key:…`
 * spells out, or that of the identity in use where it has this keyid. UsageError when none of them
 * is there.
 */
export async function keyFor(
  keyId: string,
  given: Uint8Array | undefined,
  identity: () => Promise<Identity | undefined>,
): Promise<KeyGiven> {
  const named = parsed(keyId);
  if (named) return { publicKey: named, keyId: given ? `key:${base64url(given)}` : undefined };
  if (given) return { publicKey: given, keyId: undefined };
  const own = await identity();
  if (own?.keyId !== keyId) throw new UsageError(`the key of ${keyId} is not known here`, next);
  return { publicKey: rawPublicKey(privateKeyOf(Buffer.from(own.seed, "base64"))), keyId };
}

function parsed(keyId: string): Uint8Array | undefined {
  try {
    const named = parseKeyId(keyId);
    return named.kind === "newKey" ? named.publicKey : undefined;
  } catch {
    return undefined;
  }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
