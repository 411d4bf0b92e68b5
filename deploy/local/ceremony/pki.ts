import "reflect-metadata";
import { webcrypto } from "node:crypto";
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
  X509CertificateGenerator,
} from "@peculiar/x509";
import {
  type CertificateAuthority,
  daysLeft,
  keyAlgorithm,
  newSerial,
  signingAlgorithm,
  validFor,
} from "./authority.ts";
import { writeForFolder } from "../data/ownership.ts";
import { certificatesToPem, keyToPem } from "./pem.ts";

/** Files of one end of a TLS connection, PEM, 0600; caFile is what it checks the other end with. */
export type CertificateFiles = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
};

/** The subject of a peer certificate: the workload `spiffe://<trustDomain>/<peer>`. */
export type PeerCertificateOptions = {
  readonly ca: CertificateAuthority;
  readonly dir: string;
  readonly trustDomain: string;
  readonly peer: string;
  /** Time of its creation in milliseconds; now unless given. */
  readonly now?: number | undefined;
};

/** The subject of an edge certificate: the DNS names or addresses that clients call. */
export type EdgeCertificateOptions = {
  readonly ca: CertificateAuthority;
  readonly dir: string;
  readonly names: readonly [string, ...string[]];
  readonly now?: number | undefined;
};

type Subject = {
  readonly name: string;
  readonly alternatives: ConstructorParameters<typeof SubjectAlternativeNameExtension>[0];
  readonly usages: ExtendedKeyUsage[];
};

const leafDays = 365;

/**
 * Issues a year's certificate for a workload, server and client in one, as DIR/<peer>.pem and .key;
 * replaces an old one.
 */
export function issuePeerCertificate(options: PeerCertificateOptions): Promise<CertificateFiles> {
  const { ca, dir, trustDomain, peer, now } = options;
  return issue(ca, join(dir, peer), now, {
    name: peer,
    alternatives: [
      { type: "url", value: `spiffe://${trustDomain}/${peer}` },
      { type: "dns", value: "localhost" },
    ],
    usages: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
  });
}

/**
 * Issues a year's server certificate for the public names, as DIR/edge.pem and .key; replaces an
 * old one.
 */
export function issueEdgeCertificate({
  ca,
  dir,
  names,
  now,
}: EdgeCertificateOptions): Promise<CertificateFiles> {
  return issue(ca, join(dir, "edge"), now, {
    name: names[0],
    alternatives: names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value })),
    usages: [ExtendedKeyUsage.serverAuth],
  });
}

/**
 * The days that a certificate issued now is valid: a year, and not longer than the
 * authority.
 */
export function lastingDays({ certificate }: CertificateAuthority, now: number): number {
  return Math.min(leafDays, daysLeft(certificate, now));
}

async function issue(
  ca: CertificateAuthority,
  path: string,
  now: number | undefined,
  subject: Subject,
): Promise<CertificateFiles> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
  const made = now ?? Date.now();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [subject.name] }],
    issuer: ca.certificate.subjectName,
    ...validFor(lastingDays(ca, made), made),
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
  // Two files cannot change at once: a reader of both sees that they do not match, and retries.
  await writeForFolder(files.keyFile, await keyToPem(keys.privateKey));
  await writeForFolder(files.certFile, certificatesToPem([certificate]));
  return files;
}
