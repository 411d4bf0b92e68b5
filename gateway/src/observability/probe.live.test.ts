import { type Transport, createClient } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { connectPeer, requestIdOf, serve } from "@sallyport/rpc";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { createLogger } from "@sallyport/telemetry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GatewayConfig } from "../config.ts";
import { call } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { createTestTrust, newKey, newMachine } from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";
import { startTestRedis } from "../testing/redis.ts";
import { grpc } from "../testing/wires.ts";

type PeerName = keyof TestPeers["routes"];
type Served = { readonly port: number } & AsyncDisposable;

const names: readonly PeerName[] = ["identity", "policy", "secrets", "crypto", "audit"];
const trust = createTestTrust();
let pki: TestPki;
let peers: TestPeers;
let served: ReadonlyMap<PeerName, Served>;

beforeAll(async () => {
  pki = await createTestPki();
  peers = createTestPeers(trust);
  served = new Map(
    await Promise.all(names.map(async (name) => [name, await serveAs(name)] as const)),
  );
});
afterAll(async () => {
  await Promise.all([...served.values()].map((server) => server[Symbol.asyncDispose]()));
  await pki[Symbol.asyncDispose]();
});

function serveAs(name: PeerName, port = 0): Promise<Served> {
  return serve({
    self: name,
    listen: { host: "127.0.0.1", port },
    tls: pki.tls(name),
    trustDomain: pki.trustDomain,
    routes: peers.routes[name],
    dependencies: {},
    logger: createLogger({ service: name, level: "silent" }),
  });
}

const urlOf = (name: PeerName) => `https://localhost:${served.get(name)?.port}`;

/** A gateway that reaches its peers over mutual TLS, as it does in a deployment, and is probed. */
function start(config: Partial<GatewayConfig> = {}): Promise<TestGateway> {
  return startTestGateway({
    certificates: pki,
    redisUrl: testRedisUrl(),
    parts: { trust, peers },
    overrides: { transports: undefined },
    config: {
      probeListen: { host: "127.0.0.1", port: 0 },
      identityUrl: urlOf("identity"),
      policyUrl: urlOf("policy"),
      secretsUrl: urlOf("secrets"),
      cryptoUrl: urlOf("crypto"),
      auditUrl: urlOf("audit"),
      ...config,
    },
  });
}

function probe(
  gateway: TestGateway,
  as = "operator",
  tls = pki.tls(as),
): { transport: Transport } & AsyncDisposable {
  const url = `https://localhost:${gateway.probePort}`;
  return connectPeer({ peer: "gateway", url, tls, trustDomain: pki.trustDomain });
}

const statusOf = async (transport: Transport, service: string) =>
  (await createClient(Health, transport).check({ service })).status;

describe("over mutual TLS", () => {
  test("a read keeps to every contract, and its id goes along", async () => {
    await using gateway = await start();
    const machine = peers.enroll(newMachine());
    const seen: string[] = [];
    const { authorize, open } = peers.steps;
    peers.steps.authorize = (request, context) => {
      seen.push(requestIdOf(context), request.items[0]?.requestId ?? "");
      return authorize(request, context);
    };
    peers.steps.open = (request, context) => {
      seen.push(requestIdOf(context));
      return open(request, context);
    };
    const answer = await call(grpc, gateway, machine, ReadService.method.readSecrets, {
      secretIds: [newId("sec")],
    });
    expect(answer).toMatchObject({ kind: "reply" });
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^req_/);
    Object.assign(peers.steps, { authorize, open });
  });

  test("a forwarded request keeps to its contract", async () => {
    await using gateway = await start();
    const answer = await call(grpc, gateway, newKey(), EnrollmentService.method.enroll, {});
    expect(answer).toMatchObject({ kind: "reply" });
  });

  test("a peer that proves to be another one gets nothing", async () => {
    await using gateway = await start({ policyUrl: urlOf("audit") });
    const machine = peers.enroll(newMachine());
    peers.reached.splice(0);
    const answer = await call(grpc, gateway, machine, ReadService.method.readSecrets, {
      allGranted: true,
    });
    expect(answer).toMatchObject({ refusal: { reason: "DEPENDENCY_UNAVAILABLE" } });
    expect(peers.reached).toEqual([]);
  });
});

describe("the probe", () => {
  test("tells the operator and our own processes that the gateway is ready, and of each dependency", async () => {
    await using gateway = await start();
    for (const name of ["operator", "identity"]) {
      await using connection = probe(gateway, name);
      for (const service of [
        "",
        "live",
        "ready",
        "dependency:redis",
        ...names.map((peer) => `dependency:${peer}`),
      ])
        expect(await statusOf(connection.transport, service), service).toBe(Status.SERVING);
    }
  });

  test("is not ready without a peer, and lives", async () => {
    await using gateway = await start({ cryptoUrl: "https://localhost:1" });
    await using connection = probe(gateway);
    expect(await statusOf(connection.transport, "dependency:crypto")).toBe(Status.NOT_SERVING);
    expect(await statusOf(connection.transport, "dependency:policy")).toBe(Status.SERVING);
    expect(await statusOf(connection.transport, "ready")).toBe(Status.NOT_SERVING);
    expect(await statusOf(connection.transport, "live")).toBe(Status.SERVING);
  });

  test("is not ready without Redis", async () => {
    await using redis = await startTestRedis();
    await using gateway = await start({ redisUrl: redis.url });
    await using connection = probe(gateway);
    expect(await statusOf(connection.transport, "ready")).toBe(Status.SERVING);
    await redis.stop();
    await expect
      .poll(() => statusOf(connection.transport, "dependency:redis"), {
        timeout: 5000,
        interval: 300,
      })
      .toBe(Status.NOT_SERVING);
    expect(await statusOf(connection.transport, "ready")).toBe(Status.NOT_SERVING);
  });

  test("lets in nobody whom our own authority did not certify", async () => {
    await using gateway = await start();
    await using connection = probe(gateway, "operator", pki.foreign("operator"));
    await expect(statusOf(connection.transport, "live")).rejects.toThrow();
  });

  test("is not served unless it is asked for", async () => {
    await using gateway = await start({ probeListen: undefined });
    expect(gateway.probePort).toBeUndefined();
  });
});
