import { randomBytes } from "node:crypto";
import { Code, createClient } from "@connectrpc/connect";
import { migrate } from "@sallyport/postgres";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Peer, checkHealth, connectPeer, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import {
  createAnswerFiles,
  createServiceDatabase,
  createSignedDeployment,
  createTestPki,
  newUser,
} from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { startSecrets } from "./server.ts";

test("secrets takes its keys up while it runs", async () => {
  await using database = await createServiceDatabase("secrets");
  await using pki = await createTestPki();
  await migrate({ url: database.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  const { trustDomain } = pki;
  const deployment = createSignedDeployment(Date.now);
  const { rootSeed, config } = deployment;
  const answerKeys = deployment.answerKeys("secrets");
  using files = createAnswerFiles({
    owner: "secrets",
    rootSeed,
    keyset: config.keyset,
    answerKeys,
  });
  const nobody = "https://127.0.0.1:1";
  await using server = await startSecrets({
    ...config,
    ...files.config,
    ...pki.tls("secrets"),
    listen: { host: "127.0.0.1", port: 0 },
    trustDomain,
    databaseUrl: database.servingUrl,
    slipKeys: [{ keyId: "slip-1", key: new Uint8Array(32).fill(1) }],
    policyUrl: nobody,
    cryptoUrl: nobody,
    auditUrl: nobody,
    logLevel: "silent",
    otlpUrl: undefined,
  });
  const url = `https://127.0.0.1:${server.port}`;
  await using peer = connectPeer({ peer: "secrets", url, tls: pki.tls("gateway"), trustDomain });
  const forwarding = createClient(ForwardService, peer.transport);
  // A refusal is signed as an answer is.
  const signedBy = async () => {
    const asked = deployment.forwardRequest(
      newUser(undefined, Role.DEVELOPER),
      ProjectService.method.createProject,
      { name: "no/name" },
    );
    return (await forwarding.forward(asked)).answer?.keyId;
  };
  expect(await signedBy()).toBe("answer-secrets-1");
  const next = files.replace();
  await expect.poll(signedBy, { timeout: 20_000, interval: 500 }).toBe(next);
});

test("secrets serves over mutual TLS, envelopes to the gateway only", async () => {
  await using database = await createServiceDatabase("secrets");
  await using pki = await createTestPki();
  await migrate({ url: database.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  const { trustDomain } = pki;
  const listen = { host: "127.0.0.1", port: 0 };
  await using stack = new AsyncDisposableStack();
  const peerUrl = async (self: Peer): Promise<string> => {
    const logger = createLogger({ service: self, level: "silent" });
    const options = {
      self,
      listen,
      tls: pki.tls(self),
      trustDomain,
      routes: [],
      dependencies: {},
      logger,
    };
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
