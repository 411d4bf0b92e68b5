import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { goodRequest, keys, startTestServer } from "./testing/servers.ts";
import { connectPeer } from "./index.ts";
import { readTls } from "./tls-files.ts";

const tlsPollMs = 20;
let pki: TestPki;
beforeEach(async () => void (pki = await createTestPki()));
afterEach(() => pki[Symbol.asyncDispose]());

function serialOf(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const options = {
      host,
      port: Number(port),
      ...readTls(pki.tls("gateway")),
      ALPNProtocols: ["h2"],
    };
    const socket = connect(options, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a server takes up a renewed certificate, keeps asking for the peer's, and serves on", async () => {
  await using server = await startTestServer(pki, {}, { tlsPollMs });
  await using gateway = server.connect(pki.tls("gateway"));
  await keys(gateway.transport).resolveKeys(goodRequest);
  const before = await serialOf(server.url);
  await pki.renew("identity");
  await vi.waitFor(async () => expect(await serialOf(server.url)).not.toBe(before));
  await keys(gateway.transport).resolveKeys(goodRequest);
  await using stranger = server.connect(pki.foreign("gateway"));
  await expect(keys(stranger.transport).resolveKeys(goodRequest)).rejects.toThrow(ConnectError);
  const { hostname: host, port } = new URL(server.url);
  const old = new Promise((resolve) => {
    const tls = readTls(pki.tls("gateway"));
    connect({ host, port: Number(port), ...tls, maxVersion: "TLSv1.2" }).on("error", resolve);
  });
  expect(await old).toBeInstanceOf(Error);
});

test("authorities that were joined without a line end between them are all trusted", async () => {
  const files = pki.tls("gateway");
  const own = readFileSync(files.caFile, "utf8").trimEnd();
  const foreign = readFileSync(pki.foreign("gateway").caFile, "utf8").trimEnd();
  for (const joined of [foreign + own, own + foreign]) {
    writeFileSync(`${files.caFile}.joined`, joined);
    await using server = await startTestServer(pki);
    await using gateway = server.connect({ ...files, caFile: `${files.caFile}.joined` });
    await expect(keys(gateway.transport).resolveKeys(goodRequest)).resolves.toBeDefined();
  }
});

test("connections made under the old certificates are asked to leave", async () => {
  await using server = await startTestServer(pki, {}, { tlsPollMs });
  const session = connectHttp2(server.url, readTls(pki.tls("gateway")));
  await once(session, "connect");
  const leave = once(session, "goaway");
  await pki.renew("identity");
  await expect(leave).resolves.toBeDefined();
  session.destroy();
});

test("a client takes up a renewed certificate", async () => {
  await using server = await startTestServer(pki);
  const files = { ...pki.tls("gateway") };
  const foreign = pki.foreign("gateway");
  const { cert, key } = readTls(files);
  const mounted = {
    ...files,
    certFile: `${pki.dir}/mounted.pem`,
    keyFile: `${pki.dir}/mounted.key`,
  };
  copyFileSync(foreign.certFile, mounted.certFile);
  copyFileSync(foreign.keyFile, mounted.keyFile);
  await using gateway = connectPeer({
    peer: "identity",
    url: server.url,
    tls: mounted,
    trustDomain: pki.trustDomain,
    tlsPollMs,
  });
  await expect(keys(gateway.transport).resolveKeys(goodRequest)).rejects.toThrow(ConnectError);
  writeFileSync(mounted.certFile, cert); // The key does not fit yet: half of a renewal is not taken up.
  await sleep(5 * tlsPollMs);
  await expect(keys(gateway.transport).resolveKeys(goodRequest)).rejects.toThrow(ConnectError);
  writeFileSync(mounted.keyFile, key);
  await vi.waitFor(() => keys(gateway.transport).resolveKeys(goodRequest));
});

test("files that are missing or do not belong together stop the start", () => {
  const { certFile, keyFile, caFile } = pki.tls("gateway");
  expect(() => readTls({ certFile, keyFile, caFile: `${caFile}.none` })).toThrow(/ENOENT/);
  expect(() => readTls({ certFile, keyFile: pki.tls("policy").keyFile, caFile })).toThrow(
    /mismatch/,
  );
});
