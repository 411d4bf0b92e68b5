import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** A file with a process's own certificate chain, or with the authorities that it accepts. */
export type CertificateFile = { readonly file: string; readonly kind: "chain" | "authorities" };

/** Until when a file of certificates is good for what it is for. */
export type CertificateEnd = CertificateFile & { readonly notAfter: Date };

/**
 * Tells the end of each file, read now: of a chain the earliest of its certificates, of authorities the latest, since an
 * old one may stand beside its successor. Throws when a file cannot be read or holds no certificate.
 */
export function certificateEnds(files: readonly CertificateFile[]): CertificateEnd[] {
  return files.map(({ file, kind }) => {
    const ends = certificatesOf(readFileSync(file, "utf8")).map(({ validToDate }) => validToDate.getTime());
    if (ends.length === 0) throw new Error(`${file} holds no certificate`);
    return { file, kind, notAfter: new Date(kind === "chain" ? Math.min(...ends) : Math.max(...ends)) };
  });
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
