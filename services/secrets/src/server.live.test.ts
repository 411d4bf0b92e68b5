import { randomBytes } from "node:crypto";
import { Code, createClient } from "@connectrpc/connect";
import { migrate } from "@sallyport/postgres";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Peer, checkHealth, connectPeer, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { createServiceDatabase, createTestPki, createSignedDeployment } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { startSecrets } from "./server.ts";

test("secrets serves over mutual TLS, envelopes to the gateway only", async () => {
  await using database = await createServiceDatabase("secrets");
  await using pki = await createTestPki();
  await migrate({ url: database.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  const { trustDomain } = pki;
  const listen = { host: "127.0.0.1", port: 0 };
  await using stack = new AsyncDisposableStack();
  const peerUrl = async (self: Peer): Promise<string> => {
    const logger = createLogger({ service: self, level: "silent" });
    const options = { self, listen, tls: pki.tls(self), trustDomain, routes: [], dependencies: {}, logger };
    const { port } = stack.use(await serve(options));
    return `https://127.0.0.1:${port}`;
  };
  const deployment = createSignedDeployment(Date.now);
  await using server = await startSecrets({
    ...deployment.config,
    answerKeys: deployment.answerKeys("secrets"),
    ...pki.tls("secrets"),
    listen,
    trustDomain,
    databaseUrl: database.servingUrl,
    slipKeys: [{ keyId: "slip-1", key: new Uint8Array(32).fill(1) }],
    policyUrl: await peerUrl("policy"),
    cryptoUrl: await peerUrl("crypto"),
    auditUrl: await peerUrl("audit"),
    logLevel: "silent",
    otlpUrl: undefined,
  });
  const url = `https://127.0.0.1:${server.port}`;
  const as = (self: Peer) =>
    stack.use(connectPeer({ peer: "secrets", url, tls: pki.tls(self), trustDomain })).transport;
  const gateway = as("gateway");
  await checkHealth(gateway, "ready");

  const requestDigest = new Uint8Array(randomBytes(32));
  const items = [{ requestDigest, vaultId: newId("vlt"), secretIds: [newId("sec")] }];
  const { results } = await createClient(FetchService, gateway).fetch({ items });
  expect(results).toMatchObject([{ requestDigest, secrets: [] }]);
  const asPolicy = createClient(FetchService, as("policy")).fetch({ items });
  await expect(asPolicy).rejects.toMatchObject({ code: Code.PermissionDenied });
});
