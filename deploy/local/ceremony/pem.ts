import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { PemConverter, X509Certificate } from "@peculiar/x509";

/** Returns an extractable private key as the text of a PKCS #8 PEM file. */
export async function keyToPem(privateKey: CryptoKey): Promise<string> {
  const key = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  return fileOf([PemConverter.encode(key, PemConverter.PrivateKeyTag)]);
}

/** Returns certificates as the text of a PEM file, in their order. */
export function certificatesToPem(certificates: readonly X509Certificate[]): string {
  return fileOf(certificates.map((certificate) => certificate.toString("pem")));
}

// With a line end behind the last block: two such files joined by `cat` would be one broken line
// without it.
function fileOf(blocks: readonly string[]): string {
  return blocks.map((block) => `${block.trimEnd()}\n`).join("");
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
