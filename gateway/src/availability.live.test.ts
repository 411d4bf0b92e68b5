import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Rates, defaultRates } from "./limits/rates.ts";
import { call } from "./testing/calls.ts";
import { type TestGateway, startTestGateway } from "./testing/gateway.ts";
import { type TestKey, createTestTrust, newKey, newMachine, newUser } from "./testing/keys.ts";
import { createTestPeers } from "./testing/peers.ts";
import { startTestRedis } from "./testing/redis.ts";
import { connectJson, grpc, wires } from "./testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const { readSecrets, listReadableSecrets } = ReadService.method;
const start = (redisUrl = testRedisUrl(), rates: Partial<Rates> = {}, clock = Date.now) =>
  startTestGateway({
    certificates: pki,
    redisUrl,
    overrides: { rates: { ...defaultRates, ...rates }, clock },
  });
const read = (gateway: TestGateway, key: TestKey, wire = connectJson) =>
  call(wire, gateway, key, readSecrets, { secretIds: [newId("sec")] });

const limited = {
  kind: "refusal",
  refusal: { code: Code.ResourceExhausted, reason: "RATE_LIMITED", metadata: {} },
};
const unavailable = {
  kind: "refusal",
  refusal: {
    code: Code.Unavailable,
    reason: "DEPENDENCY_UNAVAILABLE",
    retryAfterMs: 1000,
    metadata: {},
  },
};

test("a time of day that was set forward and back leaves nobody refused", async () => {
  let wrongByMs = 0;
  await using gateway = await start(testRedisUrl(), {}, () => Date.now() + wrongByMs);
  const machine = gateway.peers.enroll(newMachine());
  wrongByMs = 600_000;
  expect(await read(gateway, machine)).toMatchObject({ refusal: { reason: "CLOCK_SKEW" } });
  wrongByMs = 0;
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
});

describe("limits", () => {
  test("an address may send so much, whoever signs, and is told when it may again", async () => {
    await using gateway = await start(testRedisUrl(), { address: { perSecond: 0.01, burst: 3 } });
    const machine = gateway.peers.enroll(newMachine());
    for (const key of [machine, newMachine(), newKey()]) await read(gateway, key);
    gateway.peers.reached.splice(0);
    for (const wire of wires) {
      const answer = await read(gateway, machine, wire);
      expect(answer).toMatchObject(limited);
      if (answer.kind === "refusal") expect(answer.refusal.retryAfterMs).toBeGreaterThan(90_000);
    }
    expect(gateway.peers.reached).toEqual([]);
  });

  test("an address may send less with keys that are not enrolled", async () => {
    await using gateway = await start(testRedisUrl(), { newKey: { perSecond: 0.01, burst: 2 } });
    const machine = gateway.peers.enroll(newMachine());
    const enroll = (wire = grpc) =>
      call(wire, gateway, newKey(), EnrollmentService.method.enroll, {});
    for (let n = 0; n < 2; n += 1) expect(await enroll()).toMatchObject({ kind: "reply" });
    gateway.peers.reached.splice(0);
    for (const wire of wires) expect(await enroll(wire)).toMatchObject(limited);
    expect(gateway.peers.reached).toEqual([]);
    expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
  });

  test("a principal may send so much of each class, by whatever key, and others go free", async () => {
    const rate = { perSecond: 0.01, burst: 2 };
    await using gateway = await start(testRedisUrl(), { principal: { read: rate, manage: rate } });
    const { peers } = gateway;
    const [machine, other] = [peers.enroll(newMachine()), peers.enroll(newMachine())];
    for (let n = 0; n < 2; n += 1)
      expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
    peers.reached.splice(0);
    for (const wire of wires) expect(await read(gateway, machine, wire)).toMatchObject(limited);
    expect(await call(grpc, gateway, machine, listReadableSecrets, {})).toMatchObject(limited);
    expect(peers.reached).toEqual([]);
    expect(await read(gateway, other)).toMatchObject({ kind: "reply" });

    const user = peers.enroll(newUser(Role.OWNER));
    const device = peers.enroll({
      ...user,
      ...newKey(),
      keyId: `${user.principalId}.00000000000000000000`,
    });
    const ask = (key: TestKey) => call(grpc, gateway, key, ProjectService.method.listProjects, {});
    for (const key of [user, device]) expect(await ask(key)).toMatchObject({ kind: "reply" });
    for (const key of [user, device]) expect(await ask(key)).toMatchObject(limited);
    expect(await call(grpc, gateway, user, ReadService.method.getKeyset, {})).toMatchObject({
      kind: "reply",
    });
  });
});

describe("without Redis", () => {
  test("nothing is let in; when it is back, everything is", async () => {
    await using redis = await startTestRedis();
    await using gateway = await start(redis.url);
    const machine = gateway.peers.enroll(newMachine());
    expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
    await redis.stop();
    gateway.peers.reached.splice(0);
    for (const wire of wires) expect(await read(gateway, machine, wire)).toMatchObject(unavailable);
    expect(gateway.peers.reached).toEqual([]);
    await redis.start();
    await expect
      .poll(async () => (await read(gateway, machine)).kind, { timeout: 8000, interval: 200 })
      .toBe("reply");
  });

  test("a gateway does not start", async () => {
    await expect(start("unix:///nowhere/redis.sock")).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
  });
});

test("after Redis lost its memory, what was signed before is refused and a new signature is not", async () => {
  await using redis = await startTestRedis();
  await using gateway = await start(redis.url);
  const machine = gateway.peers.enroll(newMachine());
  const createdSeconds = Math.floor(Date.now() / 1000);
  await redis.command("FLUSHALL");
  for (const wire of wires) {
    const old = await call(
      wire,
      gateway,
      machine,
      readSecrets,
      { allGranted: true },
      { createdSeconds },
    );
    expect(old).toMatchObject({ refusal: { reason: "CLOCK_SKEW", code: Code.Unauthenticated } });
  }
  expect(gateway.peers.reached).toEqual([]);
  await sleep(1100);
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
});

test("while identity is away nobody is let in", async () => {
  await using gateway = await start();
  const machine = gateway.peers.enroll(newMachine());
  gateway.peers.steps.resolveKeys = () => {
    throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  for (const wire of wires) expect(await read(gateway, machine, wire)).toMatchObject(unavailable);
  expect(gateway.peers.reached).toEqual([]);
});

test("a revocation that identity pushes takes effect at once", async () => {
  const trust = createTestTrust();
  const peers = createTestPeers(trust);
  const { promise: revoked, resolve: revoke } = Promise.withResolvers<string>();
  peers.steps.watchRevocations = async function* (_request, { signal }) {
    yield {};
    yield { principalIds: [await revoked] };
    await sleep(60_000, undefined, { signal });
  };
  const parts = { trust, peers };
  await using gateway = await startTestGateway({
    certificates: pki,
    redisUrl: testRedisUrl(),
    parts,
  });
  const machine = peers.enroll(newMachine());
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
  peers.enroll(machine, Reason.MACHINE_DISABLED);
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" }); // Still remembered.
  revoke(machine.principalId);
  await expect
    .poll(() => read(gateway, machine), { timeout: 900, interval: 50 })
    .toMatchObject({ refusal: { reason: "MACHINE_DISABLED" } });
});

test("refusals are recorded and delay nothing, answered requests are not recorded", async () => {
  await using gateway = await start();
  const { peers } = gateway;
  const machine = peers.enroll(newMachine());
  const held = Promise.withResolvers<void>();
  const { append } = peers.steps;
  peers.steps.append = async (request, context) => {
    await held.promise;
    return append(request, context);
  };
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
  expect(await read(gateway, newMachine())).toMatchObject({
    refusal: { reason: "REQUEST_REJECTED" },
  });
  const manage = await call(grpc, gateway, machine, ProjectService.method.createProject, {
    name: "web",
  });
  expect(manage).toMatchObject({ refusal: { reason: "ROLE_REQUIRED" } });
  held.resolve();
  await expect.poll(() => peers.events).toHaveLength(2);
  const [stranger, known] = peers.events;
  expect(stranger).toMatchObject({
    reason: "REQUEST_REJECTED",
    actorId: "",
    sourceIp: "127.0.0.1",
  });
  expect(known).toMatchObject({
    reason: "ROLE_REQUIRED",
    actorId: machine.principalId,
    vaultId: machine.vaultId,
  });
  expect(known?.detail["path"]).toBe("/sallyport.secrets.v1.ProjectService/CreateProject");
});

test("failures under the names of principals are told apart, those under made-up names are not", async () => {
  await using gateway = await start();
  const { peers } = gateway;
  const [one, other] = [peers.enroll(newMachine()), peers.enroll(newMachine())];
  const rejected = { refusal: { reason: "REQUEST_REJECTED" } };
  // Whoever signs has another key than the one of that name.
  for (const { keyId } of [one, other]) {
    expect(await read(gateway, { ...newMachine(), keyId })).toMatchObject(rejected);
    expect(await read(gateway, newMachine())).toMatchObject(rejected);
  }
  await expect.poll(() => peers.events).toHaveLength(3);
  const names = peers.events.map(({ detail }) => detail["key_id"]);
  expect(names).toEqual(expect.arrayContaining([one.keyId, other.keyId]));
});

test("its start is on record, also when the log was away; until then it serves", async () => {
  const certificates = pki;
  const trust = createTestTrust();
  const peers = createTestPeers(trust);
  const { append } = peers.steps;
  peers.steps.append = () => {
    throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  const parts = { trust, peers };
  await using gateway = await startTestGateway({ certificates, redisUrl: testRedisUrl(), parts });
  const machine = peers.enroll(newMachine());
  expect(await read(gateway, machine)).toMatchObject({ kind: "reply" });
  expect(JSON.stringify(gateway.logged)).toContain("the start is not on record yet");
  peers.steps.append = append;
  await expect.poll(() => peers.starts, { timeout: 5_000 }).toHaveLength(1);
  expect(peers.starts[0]).toMatchObject({
    actorId: "gateway",
    detail: { listen: `127.0.0.1:${gateway.port}`, keyset_epoch: "1" },
  });
});

test("a keyset of another root than the pinned one stops the start", async () => {
  const config = { rootFingerprint: createTestTrust().rootFingerprint };
  const options = { certificates: pki, redisUrl: testRedisUrl(), config };
  await expect(startTestGateway(options)).rejects.toThrow("SALLYPORT_ROOT_FINGERPRINT");
});
