import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { PemConverter } from "@peculiar/x509";

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
