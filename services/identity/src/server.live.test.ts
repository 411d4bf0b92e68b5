import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { migrate } from "@sallyport/postgres";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { checkHealth, connectPeer, failureOf, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import {
  type TestPki,
  createAnswerFiles,
  createServiceDatabase,
  createTestPki,
} from "@sallyport/test/infra";
import { describe, expect, test } from "vitest";
import { type IdentityConfig, startIdentity } from "./server.ts";
import { type TestTrust, createTestTrust, newKey, signRequest } from "./testing/signing.ts";

const logger = createLogger({ service: "test", level: "silent" });
const listen = { host: "127.0.0.1", port: 0 };

function configOf(
  pki: TestPki,
  trust: TestTrust,
  databaseUrl: string,
  auditPort: number,
): IdentityConfig {
  return {
    listen,
    trustDomain: pki.trustDomain,
    ...pki.tls("identity"),
    keyset: trust.keyset,
    rootFingerprint: trust.rootFingerprint,
    publicNames: ["localhost:8443"],
    clockWindowSeconds: 60,
    databaseUrl,
    policyUrl: "https://127.0.0.1:1",
    auditUrl: `https://127.0.0.1:${auditPort}`,
    machineCap: 10,
    credentialKeys: [{ keyId: trust.credentialKey.keyId, key: trust.credentialKey.seed }],
    answerKeys: trust.answerKeys,
    logLevel: "silent",
    otlpUrl: undefined,
  };
}

function serveAudit(pki: TestPki) {
  const append = route(
    AppendService,
    { append: ["identity"] },
    { append: () => ({ results: [] }) },
  );
  const { trustDomain } = pki;
  return serve({
    self: "audit",
    listen,
    tls: pki.tls("audit"),
    trustDomain,
    routes: [append],
    dependencies: {},
    logger,
  });
}

describe("startIdentity", () => {
  test("serves the gateway and nobody else, tells which dependency is away, and stops with a stream open", async () => {
    await using pki = await createTestPki();
    await using urls = await createServiceDatabase("identity");
    await migrate({ url: urls.ownerUrl, folder: new URL("../migrations/", import.meta.url) });
    await using audit = await serveAudit(pki);
    const trust = createTestTrust(Date.now());
    const identity = await startIdentity(configOf(pki, trust, urls.servingUrl, audit.port));
    const { trustDomain } = pki;
    const connect = (peer: string) =>
      connectPeer({
        peer: "identity",
        url: `https://127.0.0.1:${identity.port}`,
        tls: pki.tls(peer),
        trustDomain,
      });
    await using gateway = connect("gateway");
    await using secrets = connect("secrets");
    const keyIds = [newId("mch")];
    const { results } = await createClient(KeyService, gateway.transport).resolveKeys({ keyIds });
    expect(results.map(({ keyId }) => keyId)).toEqual(keyIds);
    const refused = createClient(KeyService, secrets.transport).resolveKeys({ keyIds });
    await expect(
      refused.catch((error: unknown) => Promise.reject(failureOf(error))),
    ).rejects.toMatchObject({
      reason: Reason.INTERNAL,
    });
    await checkHealth(gateway.transport, "live");
    await checkHealth(gateway.transport, "dependency:postgres");
    await checkHealth(gateway.transport, "dependency:audit");
    const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };
    await expect(checkHealth(gateway.transport, "dependency:policy")).rejects.toMatchObject(
      unavailable,
    );
    await expect(checkHealth(gateway.transport, "ready")).rejects.toMatchObject(unavailable);
    const heartbeats: number[] = [];
    const stream = (async () => {
      for await (const { principalIds } of createClient(
        KeyService,
        gateway.transport,
      ).watchRevocations({}))
        heartbeats.push(principalIds.length);
    })();
    await expect.poll(() => heartbeats).toEqual([0]);
    const [ended] = await Promise.allSettled([stream, identity[Symbol.asyncDispose](), sleep(1)]);
    expect(ended.status).toBe("rejected");
  });

  test("takes its keys up while it runs", async () => {
    await using pki = await createTestPki();
    await using urls = await createServiceDatabase("identity");
    await migrate({ url: urls.ownerUrl, folder: new URL("../migrations/", import.meta.url) });
    const trust = createTestTrust(Date.now());
    using files = createAnswerFiles({ owner: "identity", ...trust });
    const config = { ...configOf(pki, trust, urls.servingUrl, 1), ...files.config };
    await using identity = await startIdentity(config);
    const url = `https://127.0.0.1:${identity.port}`;
    const { trustDomain } = pki;
    await using gateway = connectPeer({
      peer: "identity",
      url,
      tls: pki.tls("gateway"),
      trustDomain,
    });
    const forwarding = createClient(ForwardService, gateway.transport);
    // A refusal is signed as an answer is.
    const signedBy = async () => {
      const key = newKey();
      const signedRequest = signRequest(key, EnrollmentService.method.enroll, {}, Date.now());
      const carried = { sourceIp: "192.0.2.7", client: "test/1", requestId: newId("req") };
      return (await forwarding.forward({ signedRequest, ...carried })).answer?.keyId;
    };
    expect(await signedBy()).toBe("answer-identity-1");
    const next = files.replace();
    await expect.poll(signedBy, { timeout: 20_000, interval: 500 }).toBe(next);
  });

  test("refuses to start with a keyset of another root, or without its credential key", async () => {
    await using pki = await createTestPki();
    const [trust, other] = [createTestTrust(Date.now()), createTestTrust(Date.now())];
    const config = configOf(pki, trust, "postgres://nobody@127.0.0.1:1/none", 1);
    await expect(
      startIdentity({ ...config, rootFingerprint: other.rootFingerprint }),
    ).rejects.toThrow("SALLYPORT_ROOT_FINGERPRINT");
    const credentialKeys = [{ keyId: "credential-1", key: other.credentialKey.seed }];
    await expect(startIdentity({ ...config, credentialKeys })).rejects.toThrow("credential-1");
  });
});
