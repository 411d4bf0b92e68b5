import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { writePrivateFile } from "@sallyport/client";
import { keyToPem, readPem } from "./pem.ts";

/** A certificate authority; its certificate is the trust anchor that peers or clients get as their CA file. */
export type CertificateAuthority = {
  readonly certFile: string;
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
};

/** Files of one end of a TLS connection, PEM, 0600; caFile is what it checks the other end with. */
export type CertificateFiles = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
};

/** Who a peer certificate is for: the workload `spiffe://<trustDomain>/<peer>`. */
export type PeerCertificateOptions = {
  readonly ca: CertificateAuthority;
  readonly dir: string;
  readonly trustDomain: string;
  readonly peer: string;
};

/** What an edge certificate is for: the DNS names or addresses that clients call. */
export type EdgeCertificateOptions = {
  readonly ca: CertificateAuthority;
  readonly dir: string;
  readonly names: readonly [string, ...string[]];
};

type Subject = {
  readonly name: string;
  readonly alternatives: ConstructorParameters<typeof SubjectAlternativeNameExtension>[0];
  readonly usages: ExtendedKeyUsage[];
};

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
const caDays = 3_650;
const leafDays = 365;
/** A client whose clock runs behind must not see a certificate of the future. */
const backdateMs = 300_000;

/** Opens the authority of the directory (ca.pem, ca.key), making it at the first call; valid for ten years. */
export async function createCa({ dir, name }: { dir: string; name: string }): Promise<CertificateAuthority> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [certFile, keyFile] = [join(dir, "ca.pem"), join(dir, "ca.key")];
  if (!existsSync(certFile)) await makeAuthority(certFile, keyFile, name);
  const pkcs8 = readPem(keyFile);
  const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, keyAlgorithm, false, ["sign"]);
  return { certFile, certificate: new X509Certificate(readFileSync(certFile, "utf8")), privateKey };
}

/** Issues a year's certificate for a workload, server and client in one, as DIR/<peer>.pem and .key; replaces an old one. */
export function issuePeerCertificate(options: PeerCertificateOptions): Promise<CertificateFiles> {
  const { ca, dir, trustDomain, peer } = options;
  return issue(ca, join(dir, peer), {
    name: peer,
    alternatives: [
      { type: "url", value: `spiffe://${trustDomain}/${peer}` },
      { type: "dns", value: "localhost" },
    ],
    usages: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  });
}

/** Issues a year's server certificate for the public names, as DIR/edge.pem and .key; replaces an old one. */
export function issueEdgeCertificate({ ca, dir, names }: EdgeCertificateOptions): Promise<CertificateFiles> {
  return issue(ca, join(dir, "edge"), {
    name: names[0],
    alternatives: names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
    usages: [ExtendedKeyUsage.serverAuth],
  });
}

/** The key is written first: a certificate without its key would look like an authority at the next start. */
async function makeAuthority(certFile: string, keyFile: string, name: string): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [name] }],
    ...validFor(caDays),
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePrivateFile(keyFile, await keyToPem(keys.privateKey));
  await writePrivateFile(certFile, certificate.toString("pem"));
}

async function issue(ca: CertificateAuthority, path: string, subject: Subject): Promise<CertificateFiles> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [subject.name] }],
    issuer: ca.certificate.subjectName,
    ...validFor(leafDays),
    publicKey: keys.publicKey,
    signingKey: ca.privateKey,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(subject.usages),
      new SubjectAlternativeNameExtension(subject.alternatives),
      await AuthorityKeyIdentifierExtension.create(ca.certificate),
    ],
  });
  const files = { certFile: `${path}.pem`, keyFile: `${path}.key`, caFile: ca.certFile };
  await writePrivateFile(files.keyFile, await keyToPem(keys.privateKey));
  await writePrivateFile(files.certFile, certificate.toString("pem"));
  return files;
}

function validFor(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(now + days * dayMs) };
}

/** Positive and never beginning with zero bits, in RFC 5280's 20 bytes. */
function newSerial(): string {
  const serial = webcrypto.getRandomValues(new Uint8Array(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(serial).toString("hex");
}
