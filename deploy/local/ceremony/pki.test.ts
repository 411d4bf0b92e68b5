import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createCa } from "./authority.ts";
import { type CertificateFiles, issueEdgeCertificate, issuePeerCertificate } from "./pki.ts";

let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-pki-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function issuePeer(peer: string, caName = "ca"): Promise<CertificateFiles> {
  const ca = await createCa({ dir: join(dir, caName), name: "test" });
  return issuePeerCertificate({
    ca,
    dir: join(dir, "peers", caName),
    trustDomain: "example.org",
    peer,
  });
}

function read({ certFile, keyFile, caFile }: CertificateFiles): {
  cert: Buffer;
  key: Buffer;
  ca: Buffer;
} {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), ca: readFileSync(caFile) };
}

/**
 * What each end found wrong with the other's certificate (null: nothing), and the client's names.
 */
type Verdicts = {
  readonly server: unknown;
  readonly client: unknown;
  readonly clientNames: string | undefined;
};

/** Makes one mutual TLS connection that neither end cuts short, to learn both verdicts. */
async function shakeHands(
  serverFiles: CertificateFiles,
  clientFiles: CertificateFiles,
): Promise<Verdicts> {
  const lenient = { requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...read(serverFiles), ...lenient }).listen(0, "localhost");
  await once(server, "listening");
  try {
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const socket = connect({ ...read(clientFiles), ...lenient, port, host: "localhost" });
    const [accepted] = (await once(server, "secureConnection")) as [TLSSocket];
    const verdicts = {
      server: accepted.authorizationError,
      client: socket.authorizationError,
      clientNames: accepted.getPeerX509Certificate()?.subjectAltName,
    };
    accepted.destroy();
    socket.destroy();
    return verdicts;
  } finally {
    server.close();
  }
}

test("peers prove who they are to each other", async () => {
  const [gateway, policy] = [await issuePeer("gateway"), await issuePeer("policy")];
  expect(await shakeHands(policy, gateway)).toEqual({
    server: null,
    client: null,
    clientNames: "URI:spiffe://example.org/gateway, DNS:localhost",
  });
});

test("a certificate of another authority with the same name proves nothing, on either side", async () => {
  const own = await issuePeer("gateway");
  const foreign = { ...(await issuePeer("gateway", "foreign")), caFile: own.caFile };
  expect(await shakeHands(own, foreign)).toMatchObject({
    server: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    client: null,
  });
  expect(await shakeHands(foreign, own)).toMatchObject({
    server: null,
    client: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  });
});

test("an edge certificate is for its names, and is no client certificate", async () => {
  const ca = await createCa({ dir: join(dir, "edge-ca"), name: "edge" });
  const files = await issueEdgeCertificate({
    ca,
    dir: join(dir, "edge"),
    names: ["localhost", "127.0.0.1"],
  });
  const certificate = new X509Certificate(readFileSync(files.certFile));
  expect(certificate.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1");
  expect(await shakeHands(files, files)).toMatchObject({ server: "INVALID_PURPOSE", client: null });
});

test("the authority outlives a restart and its leaves are no authorities", async () => {
  const first = await createCa({ dir: join(dir, "ca"), name: "test" });
  const second = await createCa({ dir: join(dir, "ca"), name: "test" });
  expect(second.certificate.equal(first.certificate)).toBe(true);
  const leaf = new X509Certificate(readFileSync((await issuePeer("audit")).certFile));
  expect(leaf.verify(new X509Certificate(readFileSync(first.certFile)).publicKey)).toBe(true);
  expect(leaf.ca).toBe(false);
});

test("files are for the owner alone", async () => {
  await issuePeer("crypto");
  const files = ["ca", "peers/ca"].flatMap((name) =>
    readdirSync(join(dir, name)).map((file) => join(dir, name, file)),
  );
  expect(files).toHaveLength(4);
  for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
});
