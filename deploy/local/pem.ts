import { webcrypto } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PemConverter } from "@peculiar/x509";

/** Writes a file, 0600, that readers see whole or not at all; its directory is made, 0700, when missing. */
export function writePrivately(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.unfinished`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}

/** Returns an extractable private key as a PKCS #8 PEM block. */
export async function keyToPem(privateKey: CryptoKey): Promise<string> {
  return PemConverter.encode(
    await webcrypto.subtle.exportKey("pkcs8", privateKey),
    PemConverter.PrivateKeyTag,
  );
}

/** Reads the one PEM block of a file; throws when it holds none. */
export function readPem(file: string): ArrayBuffer {
  return PemConverter.decodeFirst(readFileSync(file, "utf8"));
}
