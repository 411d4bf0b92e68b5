import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { repeat } from "@sallyport/schedule";

/** Paths of a public listener's certificate chain and key, PEM. */
export type CertificateFiles = { readonly certFile: string; readonly keyFile: string };

/**
 * Paths of a process's own certificate chain and key, and of the CA whose certificates it accepts
 * from others, all PEM.
 */
export type TlsFiles = CertificateFiles & { readonly caFile: string };

type Files = CertificateFiles & Partial<TlsFiles>;

/** The contents of TlsFiles or, without a CA, of CertificateFiles. */
export type TlsMaterial = { readonly cert: string; readonly key: string; readonly ca?: string };

const pollMs = 5_000;

/**
 * Reads the files. Throws when one is missing or when key and certificate do not belong together.
 */
export function readTls({ certFile, keyFile, caFile }: Files): TlsMaterial {
  return checked({
    cert: separated(readFileSync(certFile, "utf8")),
    key: readFileSync(keyFile, "utf8"),
    ...(caFile === undefined ? {} : { ca: separated(readFileSync(caFile, "utf8")) }),
  });
}

/**
 * Calls `onChange` with the new contents after the files changed, until disposed. Contents are
 * compared on a timer, not by file events: mounted secrets change through a renamed folder, which
 * events miss. Files that do not fit together yet are tried again at the next look.
 */
export function watchTls(
  { certFile, keyFile, caFile }: Files,
  current: TlsMaterial,
  onChange: (material: TlsMaterial) => void,
  intervalMs = pollMs,
): Disposable {
  let known = current;
  return repeat({
    async run() {
      const [cert, key, ca] = await Promise.all([
        readFile(certFile, "utf8").then(separated),
        readFile(keyFile, "utf8"),
        caFile === undefined ? undefined : readFile(caFile, "utf8").then(separated),
      ]);
      if (cert === known.cert && key === known.key && ca === known.ca) return;
      known = checked({ cert, key, ...(ca === undefined ? {} : { ca }) });
      onChange(known);
    },
    // A failure is not logged: half written or being replaced, what is known stays in use.
    everyMs: intervalMs,
    delayed: true,
  });
}

// OpenSSL stops at a block that another follows on the same line, as where files without a line end
// were joined.
function separated(pem: string): string {
  return pem.replaceAll(/(-----END [A-Z0-9 ]+-----)(?=-----BEGIN )/g, "$1\n");
}

function checked(material: TlsMaterial): TlsMaterial {
  createSecureContext(material);
  return material;
}
