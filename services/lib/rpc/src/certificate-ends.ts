import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

/** A file with a process's own certificate chain, or with the authorities that it accepts. */
export type CertificateFile = { readonly file: string; readonly kind: "chain" | "authorities" };

/**
 * Until when a file of certificates is good for what it is for, and from when on that is near; Unix
 * milliseconds.
 */
export type CertificateEnd = CertificateFile & {
  readonly notAfterMs: number;
  readonly nearMs: number;
};

const dayMs = 86_400_000;
const longestNearMs = 60 * dayMs;

/**
 * Tells the end of a file, read now: of a chain the earliest of its certificates, of authorities
 * the latest, since an old one may stand beside its successor. It is near for 60 days, or for the
 * last third of a shorter life, as certificates of hours have it. Rejects when the file cannot be
 * read or holds no certificate.
 */
export async function certificateEnd({ file, kind }: CertificateFile): Promise<CertificateEnd> {
  const ends = certificatesOf(await readFile(file, "utf8")).map(endOf);
  const [first, ...others] = ends.toSorted((one, other) => one.notAfterMs - other.notAfterMs);
  if (!first) throw new Error(`${file} holds no certificate`);
  return { file, kind, ...(kind === "chain" ? first : (others.at(-1) ?? first)) };
}

/**
 * Makes a notice for the health of a process: it rejects, with a sentence that names the file,
 * while one of the files is near its end, past it, or cannot be read.
 */
export function certificateNotice(
  files: readonly CertificateFile[],
  clock: () => number = Date.now,
): () => Promise<void> {
  return async () => {
    for (const { file, notAfterMs, nearMs } of await Promise.all(files.map(certificateEnd)))
      if (clock() >= nearMs)
        throw new Error(
          `${file} ends at ${new Date(notAfterMs).toISOString()}: renew it, see deploy/README.md`,
        );
  };
}

function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

function endOf({
  validFromDate,
  validToDate,
}: X509Certificate): Pick<CertificateEnd, "notAfterMs" | "nearMs"> {
  const notAfterMs = validToDate.getTime();
  const lifeMs = notAfterMs - validFromDate.getTime();
  return { notAfterMs, nearMs: notAfterMs - Math.min(longestNearMs, lifeMs / 3) };
}
