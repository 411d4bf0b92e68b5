import { once } from "node:events";
import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { exposeMetrics } from "@sallyport/telemetry";
import {
  type TestPki,
  connectFrom,
  createTestPki,
  exchange,
  seriesOf,
  testRedisUrl,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestKey, newMachine, newUser } from "../testing/keys.ts";
import {
  type Answer,
  type Sent,
  type Wire,
  connectJson,
  grpc,
  readAnswer,
  wires,
} from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const patience = { timeout: 8_000 };
const { readSecrets } = ReadService.method;
const start = (concurrencyLimit = 128) =>
  startTestGateway({
    certificates: pki,
    redisUrl: testRedisUrl(),
    config: { concurrencyLimit },
  });
const read = (gateway: TestGateway, key: TestKey, wire = connectJson) =>
  call(wire, gateway, key, readSecrets, { secretIds: [newId("sec")] });
const metric = async (name: string) => seriesOf(await exposeMetrics()).get(name);
const taken = () => metric("sallyport_in_flight_requests");
const contentBytes = () => metric("sallyport_content_memory_usage_bytes");

const refusal = (code: Code, reason: string) => ({
  kind: "refusal",
  refusal: { code, reason, metadata: {}, retryAfterMs: expect.any(Number) as unknown },
});
const full = refusal(Code.Unavailable, "DEPENDENCY_UNAVAILABLE");
const limited = refusal(Code.ResourceExhausted, "RATE_LIMITED");
const answered = { kind: "reply" };

/** Holds every read at policy until `go`. */
function holdReads({ peers }: TestGateway) {
  const { promise, resolve: go } = Promise.withResolvers<void>();
  const { authorize } = peers.steps;
  peers.steps.authorize = async (request, context) => {
    await promise;
    return authorize(request, context);
  };
  return { go };
}

/** Holds every look-up of a key at identity until `go`. */
function holdKeys({ peers }: TestGateway) {
  const { promise, resolve: go } = Promise.withResolvers<void>();
  const { resolveKeys } = peers.steps;
  let waiting = 0;
  peers.steps.resolveKeys = async (request, context) => {
    waiting += 1;
    await promise;
    return resolveKeys(request, context);
  };
  return { go, waiting: () => waiting };
}

/**
 * A request that is awaited only later: should the test fail before, the end of its gateway is no
 * second failure.
 */
function begun<T>(request: Promise<T>): Promise<T> {
  request.catch(() => undefined);
  return request;
}

/** Begins so many reads, by each key in turn, and resolves when all have a place. */
async function occupy(gateway: TestGateway, keys: readonly TestKey[], count: number) {
  const before = (await taken()) ?? 0;
  const reads = Array.from({ length: count }, (_, index) =>
    begun(read(gateway, keys[index % keys.length] ?? newMachine(), index % 2 ? connectJson : grpc)),
  );
  await expect.poll(taken, patience).toBe(before + count);
  return reads;
}

/** Sends a request from another address of this machine, and gives status and text. */
async function sendFrom({ authority, ca }: TestGateway, localAddress: string, sent: Sent) {
  const { url, headers, body } = sent;
  const session = connectFrom(localAddress, { url: `https://${authority}`, ca });
  session.on("error", () => undefined); // The stream tells of it.
  try {
    return await exchange(session, url, Object.fromEntries(headers), body);
  } finally {
    session.close();
  }
}

const machines = (gateway: TestGateway, count: number) =>
  Array.from({ length: count }, () => gateway.peers.enroll(newMachine()));

describe("with every place taken", () => {
  const few = 8;
  const forReads = 6; // Three quarters.

  test("it says so at once, in every protocol, spends nothing, and tells the operator once", async () => {
    await using gateway = await start(few);
    const keys = machines(gateway, forReads + 1);
    const { go } = holdReads(gateway);
    const reads = await occupy(gateway, keys, forReads);
    const held = () =>
      gateway.peers.reached.filter((method) => method === "policy.authorize").length;
    await expect.poll(held, patience).toBe(forReads);
    gateway.peers.reached.splice(0);
    const late = keys[forReads] ?? newMachine();
    const secretIds = [newId("sec")];
    for (const wire of wires) {
      const sent = signedRequest(wire, gateway, late, readSecrets, { secretIds });
      const answer = readAnswer(readSecrets.output, await wire.send(gateway, sent));
      expect(answer).toMatchObject(full);
    }
    const sent = signedRequest(connectJson, gateway, late, readSecrets, { secretIds });
    const again = async (): Promise<Answer<typeof readSecrets.output>> =>
      readAnswer(readSecrets.output, await connectJson.send(gateway, sent));
    expect(await again()).toMatchObject(full);
    expect(gateway.peers.reached).toEqual([]);
    const warnings = gateway.logged.filter(({ level }) => level === "warn");
    expect(warnings).toEqual([expect.objectContaining({ refused: 1 })]);
    go();
    for (const reading of reads) expect(await reading).toMatchObject(answered);
    // The nonce was not spent: what was refused for want of a place is let in, once.
    expect(await again()).toMatchObject(answered);
    expect(await again()).toMatchObject({ refusal: { reason: "REQUEST_REJECTED" } });
    expect(await taken()).toBe(0);
    // Want of a place is our own fault, and nobody's refusal.
    expect(
      gateway.peers.events.filter(({ reason }) => reason === "DEPENDENCY_UNAVAILABLE"),
    ).toEqual([]);
  });

  test("it looks at no signature", async () => {
    await using gateway = await start(few);
    const { go } = holdReads(gateway);
    const reads = await occupy(gateway, machines(gateway, forReads), forReads);
    const machine = newMachine(); // Nobody knows it.
    expect(await read(gateway, machine)).toMatchObject(full);
    go();
    await Promise.all(reads);
    expect(await read(gateway, machine)).toMatchObject({ refusal: { reason: "REQUEST_REJECTED" } });
  });

  test("by reads, people may still manage", async () => {
    await using gateway = await start(few);
    const { go } = holdReads(gateway);
    const reads = await occupy(gateway, machines(gateway, forReads), forReads);
    const user = gateway.peers.enroll(newUser(Role.OWNER));
    expect(await call(grpc, gateway, user, ProjectService.method.listProjects, {})).toMatchObject(
      answered,
    );
    go();
    await Promise.all(reads);
  });

  test.runIf(process.platform === "linux")("by one address, another has places", async () => {
    await using gateway = await start(16);
    const keys = machines(gateway, 9);
    const { go } = holdReads(gateway);
    const reads = await occupy(gateway, keys, 8);
    const late = keys[8] ?? newMachine();
    for (const wire of wires) expect(await read(gateway, late, wire)).toMatchObject(limited);
    const elsewhere = signedRequest(connectJson, gateway, late, readSecrets, {
      secretIds: [newId("sec")],
    });
    const other = begun(sendFrom(gateway, "127.0.0.9", elsewhere));
    await expect.poll(taken, patience).toBe(9);
    go();
    expect((await other).status).toBe(200);
    await Promise.all(reads);
    await expect.poll(() => gateway.peers.events, patience).not.toHaveLength(0);
    expect(gateway.peers.events[0]).toMatchObject({
      reason: "RATE_LIMITED",
      sourceIp: "127.0.0.1",
      actorId: "",
    });
  });
});

describe("a principal with its share", () => {
  const limit = 32;

  test("is refused, by name, and others are not", async () => {
    await using gateway = await start(limit);
    const [noisy = newMachine(), other = newMachine()] = machines(gateway, 2);
    const { go } = holdReads(gateway);
    const reads = await occupy(gateway, [noisy], 8);
    for (const wire of wires) expect(await read(gateway, noisy, wire)).toMatchObject(limited);
    const others = await occupy(gateway, [other], 1);
    go();
    for (const reading of [...reads, ...others]) expect(await reading).toMatchObject(answered);
    await expect.poll(() => gateway.peers.events, patience).toHaveLength(1);
    expect(gateway.peers.events[0]).toMatchObject({
      reason: "RATE_LIMITED",
      actorId: noisy.principalId,
    });
    expect(await read(gateway, noisy)).toMatchObject(answered);
  });

  test("has it for answers that it does not read, too: they are held in memory meanwhile", async () => {
    await using gateway = await start(limit);
    const [noisy = newMachine(), other = newMachine()] = machines(gateway, 2);
    const unread = Array.from({ length: 8 }, () => begin(gateway, noisy, connectJson, 0));
    for (const { stream, body } of unread) {
      stream.end(body);
      await once(stream, "response");
    }
    expect(await taken()).toBe(0);
    expect(await read(gateway, noisy)).toMatchObject(limited);
    expect(await read(gateway, other)).toMatchObject(answered);
    for (const { session } of unread) session.destroy();
    await expect.poll(() => read(gateway, noisy), patience).toMatchObject(answered);
  });

  test("has it by its proven name: who only claims it takes none of it", async () => {
    await using gateway = await start(limit);
    const [victim = newMachine()] = machines(gateway, 1);
    const { go } = holdKeys(gateway);
    const impostor = { ...newMachine(), keyId: victim.keyId };
    const forged = await occupy(gateway, [impostor], 8);
    const own = await occupy(gateway, [victim], 1);
    go();
    for (const answer of await Promise.all(forged))
      expect(answer).toMatchObject({ refusal: { reason: "REQUEST_REJECTED" } });
    expect(await own[0]).toMatchObject(answered);
  });
});

/**
 * Begins a read over a session of its own, whose client gives its answer so many bytes of window.
 */
function begin(gateway: TestGateway, key: TestKey, wire: Wire, initialWindowSize = 65_535) {
  const { ca, authority } = gateway;
  const session = connect(`https://${authority}`, { ca, settings: { initialWindowSize } });
  session.on("error", () => undefined);
  const sent = signedRequest(wire, gateway, key, readSecrets, { secretIds: [newId("sec")] });
  const stream = session.request({
    ":method": "POST",
    ":path": sent.url,
    ...Object.fromEntries(sent.headers),
  });
  stream.on("error", () => undefined);
  return { session, stream, body: sent.body };
}

describe("a place", () => {
  test("is kept while work goes on for a client that has gone", async () => {
    await using gateway = await start();
    const [machine = newMachine()] = machines(gateway, 1);
    const { go } = holdReads(gateway);
    const { session, stream, body } = begin(gateway, machine, grpc);
    stream.end(body);
    await expect.poll(() => gateway.peers.reached, patience).toContain("policy.authorize");
    session.destroy();
    await sleep(200);
    expect(await taken()).toBe(1);
    go();
    await expect.poll(taken, patience).toBe(0);
  });

  test("is kept, with its content, while work goes on for a client whose time is over", async () => {
    await using gateway = await start();
    const [machine = newMachine()] = machines(gateway, 1);
    const { go } = holdReads(gateway);
    const sent = signedRequest(connectJson, gateway, machine, readSecrets, {
      secretIds: [newId("sec")],
    });
    const headers = [...sent.headers, ["connect-timeout-ms", "1"] as const];
    const answer = readAnswer(
      readSecrets.output,
      await connectJson.send(gateway, { ...sent, headers }),
    );
    expect(answer).toMatchObject(full);
    expect(gateway.peers.reached).toContain("policy.authorize");
    expect(await taken()).toBe(1);
    expect(await contentBytes()).toBe(sent.body.length);
    gateway.peers.reached.splice(0);
    go();
    await expect.poll(taken, patience).toBe(0);
    await expect.poll(contentBytes, patience).toBe(0);
    expect(gateway.peers.reached).toContain("crypto.open"); // The work was done to its end.
  });

  test("is not kept for a client that has gone before the work began", async () => {
    await using gateway = await start();
    const [machine = newMachine()] = machines(gateway, 1);
    const { go, waiting } = holdKeys(gateway);
    const { session, stream, body } = begin(gateway, machine, grpc);
    stream.end(body);
    await expect.poll(waiting, patience).toBe(1);
    session.destroy();
    await sleep(200);
    go();
    await expect.poll(taken, patience).toBe(0);
    expect(gateway.peers.reached).toEqual([]);
  });

  test("is not kept by who sends slowly", async () => {
    await using gateway = await start();
    const [machine = newMachine()] = machines(gateway, 1);
    const { session, stream, body } = begin(gateway, machine, connectJson);
    stream.write(body.subarray(0, 3));
    await sleep(100);
    expect(await taken()).toBe(0);
    stream.end(body.subarray(3));
    await once(stream, "response");
    session.destroy();
  });

  test.each(["an answer", "a refusal"])("is not kept by who does not read %s", async (what) => {
    await using gateway = await start();
    const machine = newMachine();
    if (what === "an answer") gateway.peers.enroll(machine);
    const { session, stream, body } = begin(gateway, machine, connectJson, 0);
    stream.end(body);
    await once(stream, "response"); // Its content finds no window.
    expect(await taken()).toBe(0);
    session.destroy();
  });
});
