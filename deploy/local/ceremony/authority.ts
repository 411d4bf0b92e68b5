import "reflect-metadata";
import { createPublicKey, webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { writeForFolder } from "../data/ownership.ts";
import { certificatesToPem, keyToPem, readCertificates, readPem } from "./pem.ts";

/**
 * A certificate authority; its file has the trust anchors that peers or clients get: its own, and
 * in a renewal two.
 */
export type CertificateAuthority = {
  readonly certFile: string;
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
};

/** The folder of an authority, and the name in its certificate. */
export type AuthorityFolder = { readonly dir: string; readonly name: string };

export const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
export const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
export const dayMs = 86_400_000;
const caDays = 3_650;
/** A client whose clock runs behind must not see a certificate of the future. */
const backdateMs = 300_000;
const dueDays = 60;
const handoverDays = 7;

/**
 * Opens the authority of the directory (ca.pem, ca.key), making it at the first call; valid for ten
 * years from `now`, in milliseconds. Its certificate is the one of ca.pem that fits the key.
 */
export async function createCa(
  folder: AuthorityFolder,
  now = Date.now(),
): Promise<CertificateAuthority> {
  const { dir, name } = folder;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { certFile, keyFile } = filesOf(dir);
  if (!existsSync(certFile)) {
    const { certificate, key } = await makeAuthority(name, now);
    // The key first: a certificate without its key would look like an authority at the next start.
    await writeForFolder(keyFile, key);
    await writeForFolder(certFile, certificatesToPem([certificate]));
  }
  const privateKey = await webcrypto.subtle.importKey(
    "pkcs8",
    readPem(keyFile),
    keyAlgorithm,
    false,
    ["sign"],
  );
  return { certFile, certificate: certificateOf(keyFile, certFile), privateKey };
}

/**
 * Renews an authority in two steps, so that old and new are trusted side by side for weeks. In its
 * last 60 days a successor is made and added to ca.pem; in its last 7 days one that was added
 * before takes over. What has ended leaves ca.pem. Does one step at a call, with `anyway` also one
 * that is not due yet; returns true if ca.pem changed.
 */
export async function renewAuthority(
  { dir, name }: AuthorityFolder,
  { now, anyway = false }: { readonly now: number; readonly anyway?: boolean },
): Promise<boolean> {
  const { certFile, keyFile, nextFile } = filesOf(dir);
  const signer = certificateOf(keyFile, certFile);
  const left = daysLeft(signer, now);
  if (existsSync(nextFile)) {
    if (left >= handoverDays && !anyway) return false;
    certificateOf(nextFile, certFile);
    // Both certificates are in ca.pem: which one signs hangs on the key alone.
    renameSync(nextFile, keyFile);
    return true;
  }
  const kept = readCertificates(certFile).filter(
    (certificate) => certificate.equal(signer) || daysLeft(certificate, now) >= 0,
  );
  if (left < dueDays || anyway) {
    const { certificate, key } = await makeAuthority(name, now);
    await writeBundle(certFile, [...kept, certificate]);
    await writeForFolder(nextFile, key);
    return true;
  }
  if (kept.length === readCertificates(certFile).length) return false;
  await writeBundle(certFile, kept);
  return true;
}

/** Tells whether a certificate is for the private key of a file. */
export function isOf(keyFile: string, { publicKey }: X509Certificate): boolean {
  const spki = createPublicKey(readFileSync(keyFile)).export({ type: "spki", format: "der" });
  return spki.equals(Buffer.from(publicKey.rawData));
}

/** The certificate of a file that belongs to a key; throws when none does. */
function certificateOf(keyFile: string, certFile: string): X509Certificate {
  const found = readCertificates(certFile).find((certificate) => isOf(keyFile, certificate));
  if (found === undefined)
    throw new Error(`${certFile} holds no certificate of the key in ${keyFile}`);
  return found;
}

/**
 * The days that a certificate is still valid at `now`, in milliseconds; negative after its end.
 */
export function daysLeft({ notAfter }: Pick<X509Certificate, "notAfter">, now: number): number {
  return (notAfter.getTime() - now) / dayMs;
}

/** The validity of a certificate made now. */
export function validFor(days: number, now: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(now + days * dayMs) };
}

/** Positive and never beginning with zero bits, in RFC 5280's 20 bytes. */
export function newSerial(): string {
  const serial = webcrypto.getRandomValues(new Uint8Array(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(serial).toString("hex");
}

function filesOf(dir: string) {
  return {
    certFile: join(dir, "ca.pem"),
    keyFile: join(dir, "ca.key"),
    nextFile: join(dir, "next-ca.key"),
  };
}

function writeBundle(file: string, certificates: readonly X509Certificate[]): Promise<void> {
  return writeForFolder(file, certificatesToPem(certificates));
}

async function makeAuthority(
  name: string,
  now: number,
): Promise<{ certificate: X509Certificate; key: string }> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [name] }],
    ...validFor(caDays, now),
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, key: await keyToPem(keys.privateKey) };
}
