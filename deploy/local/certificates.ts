import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;

/** A certificate authority: what signs, and the file that its certificate is in. */
export type Authority = {
  readonly certFile: string;
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
};

/** Opens the authority kept in a directory, or makes one for ten years. Its key never leaves the directory. */
export async function openAuthority(dir: string, name: string): Promise<Authority> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [certFile, keyFile] = [join(dir, `${name}.pem`), join(dir, `${name}.key`)];
  if (existsSync(certFile) && existsSync(keyFile)) {
    const certificate = new x509.X509Certificate(readFileSync(certFile, "utf8"));
    return { certFile, certificate, key: await importKey(readFileSync(keyFile, "utf8")) };
  }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=Sallyport ${name}`,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 3650 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writeFileSync(keyFile, await exportKey(keys.privateKey), { mode: 0o600 });
  writeFileSync(certFile, certificate.toString("pem"), { mode: 0o644 });
  return { certFile, certificate, key: keys.privateKey };
}

/** Where a new certificate and its key go. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** Issues a peer's certificate for mutual TLS: its name is the SPIFFE id, valid for a year. */
export function issuePeer(
  authority: Authority,
  files: CertificateFiles,
  trustDomain: string,
  peer: string,
): Promise<void> {
  const names: x509.JsonGeneralNames = [
    { type: "url", value: `spiffe://${trustDomain}/${peer}` },
    { type: "dns", value: "localhost" },
  ];
  return issue(authority, files, peer, names, [
    x509.ExtendedKeyUsage.serverAuth,
    x509.ExtendedKeyUsage.clientAuth,
  ]);
}

/** Issues the public certificate of the gateway for DNS names, valid for a year. */
export function issueEdge(
  authority: Authority,
  files: CertificateFiles,
  names: readonly string[],
): Promise<void> {
  const dnsNames = names.map((value) => ({ type: "dns" as const, value }));
  return issue(authority, files, "gateway", dnsNames, [x509.ExtendedKeyUsage.serverAuth]);
}

async function issue(
  authority: Authority,
  { certFile, keyFile }: CertificateFiles,
  subject: string,
  names: x509.JsonGeneralNames,
  usages: string[],
): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${subject}`,
    issuer: authority.certificate.subject,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 365 * dayMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate),
    ],
  });
  writeFileSync(keyFile, await exportKey(keys.privateKey), { mode: 0o600 });
  writeFileSync(certFile, certificate.toString("pem"), { mode: 0o600 });
}

function serial(): string {
  return `01${randomBytes(15).toString("hex")}`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  if (!der) throw new Error("the authority's key file holds no key");
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}
