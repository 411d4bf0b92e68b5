import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CertificateFiles,
  createCa,
  issueEdgeCertificate,
  issuePeerCertificate,
} from "@sallyport/deploy/local";

/** The workloads that a test PKI has certificates for. */
export const testPeers = [
  "gateway",
  "identity",
  "policy",
  "secrets",
  "crypto",
  "audit",
  "operator",
] as const;

/** Certificates for tests; disposing removes every file. */
export type TestPki = {
  readonly dir: string;
  readonly trustDomain: string;
  /** The internal CA's certificate; the edge has a CA of its own. */
  readonly caFile: string;
  /** The gateway's public face, for localhost and 127.0.0.1. */
  readonly edge: CertificateFiles;
  /** Returns a peer's files; throws for a name that is not in testPeers. */
  tls(peer: string): CertificateFiles;
  /**
   * The same names from a CA that nobody trusts; caFile is the trusted one, so that only this end
   * is foreign.
   */
  foreign(peer: string): CertificateFiles;
  /** Replaces a peer's certificate and key in the same files. */
  renew(peer: string): Promise<void>;
} & AsyncDisposable;

type PeerIssuer = {
  readonly caFile: string;
  files(peer: string): CertificateFiles;
  renew(peer: string): Promise<void>;
};

/**
 * Makes an internal CA, a foreign one of the same name, an edge CA, and a certificate for every
 * test peer.
 */
export async function createTestPki(trustDomain = "test.sallyport"): Promise<TestPki> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-pki-"));
  const [internal, strangers, edge] = await Promise.all([
    createPeerIssuer(join(dir, "internal"), trustDomain),
    createPeerIssuer(join(dir, "foreign"), trustDomain),
    issueEdge(join(dir, "edge")),
  ]);
  return {
    dir,
    trustDomain,
    caFile: internal.caFile,
    edge,
    tls: (peer) => internal.files(peer),
    foreign: (peer) => ({ ...strangers.files(peer), caFile: internal.caFile }),
    renew: (peer) => internal.renew(peer),
    [Symbol.asyncDispose]: () => Promise.resolve(rmSync(dir, { recursive: true, force: true })),
  };
}

/**
 * Issues a certificate that lasts only so many days, into a directory; it can be used by nobody in
 * a test PKI.
 */
export async function issueShortCertificate(dir: string, days: number): Promise<CertificateFiles> {
  // An authority that is about to end: what it issues lasts no longer.
  const now = Date.now() - (3_650 - days) * 86_400_000;
  const ca = await createCa({ dir: join(dir, "ca"), name: "sallyport test" }, now);
  return issuePeerCertificate({ ca, dir, trustDomain: "test.sallyport", peer: "gateway" });
}

async function createPeerIssuer(dir: string, trustDomain: string): Promise<PeerIssuer> {
  const ca = await createCa({ dir: join(dir, "ca"), name: "sallyport test" });
  const issue = async (peer: string): Promise<[string, CertificateFiles]> => [
    peer,
    await issuePeerCertificate({ ca, dir, trustDomain, peer }),
  ];
  const issued = new Map(await Promise.all(testPeers.map(issue)));
  const files = (peer: string): CertificateFiles => {
    const found = issued.get(peer);
    if (found === undefined) throw new Error(`the test PKI has no peer ${peer}`);
    return found;
  };
  return { caFile: ca.certFile, files, renew: async (peer) => void (await issue(peer)) };
}

async function issueEdge(dir: string): Promise<CertificateFiles> {
  const ca = await createCa({ dir: join(dir, "ca"), name: "sallyport test edge" });
  return issueEdgeCertificate({ ca, dir, names: ["localhost", "127.0.0.1"] });
}

/** A server's certificate for the given names, and the CA that it is of, in PEM. */
export type TestEdge = { readonly ca: string; readonly cert: string; readonly key: string };

/** Makes a certificate as a gateway's public face has it, and its CA. */
export async function createTestEdge(names: readonly [string, ...string[]]): Promise<TestEdge> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-edge-"));
  try {
    const ca = await createCa({ dir: join(dir, "ca"), name: "sallyport test edge" });
    const { caFile, certFile, keyFile } = await issueEdgeCertificate({ ca, dir, names });
    const [authority = "", cert = "", key = ""] = [caFile, certFile, keyFile].map((file) =>
      readFileSync(file, "utf8"),
    );
    return { ca: authority, cert, key };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
