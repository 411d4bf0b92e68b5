import { type SecureContext, createSecureContext, getCACertificates } from "node:tls";
import { separatePem } from "../pem.ts";

let system: SecureContext | undefined;

/**
 * Returns the CAs that a TLS connection trusts: the given CA and no other, else the operating
 * system's store (with SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL has them) and
 * NODE_EXTRA_CA_CERTS; the CAs of Node where the system has none.
 */
export function trustOf(
  ca: string | undefined,
): { readonly ca: string } | { readonly secureContext: SecureContext } {
  if (ca !== undefined) return { ca: separatePem(ca) };
  system ??= createSecureContext({ ca: systemCas() });
  return { secureContext: system };
}

function systemCas(): string[] {
  const found = getCACertificates("system");
  if (found.length === 0) return getCACertificates("default");
  // A store has most of them twice: in one file and in a folder.
  return [...new Set([...found, ...getCACertificates("extra")])];
}
