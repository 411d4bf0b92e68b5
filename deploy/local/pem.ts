import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { PemConverter, X509Certificate } from "@peculiar/x509";

/** Returns an extractable private key as a PKCS #8 PEM block. */
export async function keyToPem(privateKey: CryptoKey): Promise<string> {
  return PemConverter.encode(
    await webcrypto.subtle.exportKey("pkcs8", privateKey),
    PemConverter.PrivateKeyTag,
  );
}

/** The certificates of a file, in its order. */
export function readCertificates(file: string): X509Certificate[] {
  const blocks = PemConverter.decodeWithHeaders(readFileSync(file, "utf8"));
  return blocks.map(({ rawData }) => new X509Certificate(rawData));
}

/** Reads the one PEM block of a file; throws when it holds none. */
export function readPem(file: string): ArrayBuffer {
  return PemConverter.decodeFirst(readFileSync(file, "utf8"));
}
