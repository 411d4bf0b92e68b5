import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CertificateFiles, createCa, issueEdgeCertificate, issuePeerCertificate } from "./pki.ts";

const refusedByTls = /certificate|signature/;
let dir = "";

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-pki-"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function issuePeer(peer: string, caName = "ca"): Promise<CertificateFiles> {
  const ca = await createCa({ dir: join(dir, caName), name: "test" });
  return issuePeerCertificate({ ca, dir: join(dir, "peers", caName), trustDomain: "example.org", peer });
}

function read({ certFile, keyFile, caFile }: CertificateFiles): { cert: Buffer; key: Buffer; ca: Buffer } {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile), ca: readFileSync(caFile) };
}

/** Makes one mutual TLS connection and returns the client's alternative names as the server saw them. */
function shakeHands(
  serverFiles: CertificateFiles,
  clientFiles: CertificateFiles,
): Promise<string | undefined> {
  return new Promise((settle, fail) => {
    const required = { requestCert: true, rejectUnauthorized: true };
    const server = createServer({ ...read(serverFiles), ...required }, (socket: TLSSocket) => {
      settle(socket.getPeerX509Certificate()?.subjectAltName);
      socket.end();
    });
    const finish = (error: Error): void => fail(error);
    server.on("tlsClientError", finish).listen(0, "localhost", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const socket = connect({ ...read(clientFiles), port, host: "localhost" });
      socket.on("error", finish).on("close", () => server.close());
    });
  });
}

test("peers prove who they are to each other", async () => {
  const [gateway, policy] = [await issuePeer("gateway"), await issuePeer("policy")];
  expect(await shakeHands(policy, gateway)).toBe("URI:spiffe://example.org/gateway, DNS:localhost");
});

test("a certificate of another authority with the same name is refused, on either side", async () => {
  const [own, foreign] = await Promise.all([issuePeer("gateway"), issuePeer("gateway", "foreign")]);
  await expect(shakeHands(own, { ...foreign, caFile: own.caFile })).rejects.toThrow(refusedByTls);
  await expect(shakeHands({ ...foreign, caFile: own.caFile }, own)).rejects.toThrow(refusedByTls);
});

test("an edge certificate is for its names, and is no client certificate", async () => {
  const ca = await createCa({ dir: join(dir, "edge-ca"), name: "edge" });
  const files = await issueEdgeCertificate({ ca, dir: join(dir, "edge"), names: ["localhost", "127.0.0.1"] });
  const certificate = new X509Certificate(readFileSync(files.certFile));
  expect(certificate.subjectAltName).toBe("DNS:localhost, IP Address:127.0.0.1");
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  await expect(shakeHands(files, files)).rejects.toThrow(refusedByTls);
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
