import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";

/** Paths of the public certificate chain and its key, PEM. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/** The contents of CertificateFiles. */
export type Certificate = { readonly cert: string; readonly key: string };

/**
 * Reads the files. Throws when one is missing or when key and certificate do not belong together.
 */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  return checked({ cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") });
}

/**
 * Calls `onChange` with the new contents after the files changed, until disposed. Contents are
 * compared on a timer, not by file events: mounted secrets change through a renamed folder, which
 * events miss. Files that do not fit together yet are tried again at the next look.
 */
export function watchCertificate(
  files: CertificateFiles,
  current: Certificate,
  onChange: (certificate: Certificate) => void,
  intervalMs: number,
): Disposable {
  let known = current;
  const look = async (): Promise<void> => {
    try {
      const cert = await readFile(files.certFile, "utf8");
      const key = await readFile(files.keyFile, "utf8");
      if (cert === known.cert && key === known.key) return;
      known = checked({ cert, key });
      onChange(known);
    } catch {
      // Half written or being replaced: what is known stays in use.
    }
  };
  const timer = setInterval(() => void look(), intervalMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function checked(certificate: Certificate): Certificate {
  createSecureContext(certificate);
  return certificate;
}
