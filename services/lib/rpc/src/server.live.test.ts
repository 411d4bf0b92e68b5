import { setTimeout as sleep } from "node:timers/promises";
import { Code, createClient } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test } from "vitest";
import { goodRequest, keys, startTestServer } from "./testing/servers.ts";
import { checkHealth, failureOf } from "./index.ts";

let pki: TestPki;
beforeAll(async () => void (pki = await createTestPki()));
afterAll(() => pki[Symbol.asyncDispose]());

test("draining lets a call finish and takes no new one", async () => {
  const entered = Promise.withResolvers<void>();
  const server = await startTestServer(pki, {
    resolveKeys: async () => {
      entered.resolve();
      await sleep(150);
      return { results: [{ keyId: "done" }] };
    },
  });
  await using gateway = server.connect(pki.tls("gateway"));
  const inFlight = keys(gateway.transport).resolveKeys(goodRequest);
  await entered.promise;
  const drained = server[Symbol.asyncDispose]();
  await using another = server.connect(pki.tls("gateway"));
  const refused = await keys(another.transport).resolveKeys(goodRequest).catch(failureOf);
  expect(refused).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect((await inFlight).results[0]?.keyId).toBe("done");
  await drained;
});

test("draining ends a stream, even one that does not listen", async () => {
  const server = await startTestServer(pki, {
    watchRevocations: async function* () {
      yield {};
      await new Promise(() => undefined);
    },
  });
  await using gateway = server.connect(pki.tls("gateway"));
  const stream = keys(gateway.transport).watchRevocations({})[Symbol.asyncIterator]();
  await stream.next();
  const next = stream.next().catch(failureOf);
  await server[Symbol.asyncDispose]();
  expect(await next).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
});

test("draining cuts a call that does not end", async () => {
  const entered = Promise.withResolvers<void>();
  const handlers = { resolveKeys: () => (entered.resolve(), new Promise<never>(() => undefined)) };
  const server = await startTestServer(pki, handlers, { drainMs: 100 });
  await using gateway = server.connect(pki.tls("gateway"));
  const stuck = keys(gateway.transport).resolveKeys(goodRequest).catch(failureOf);
  await entered.promise;
  await server[Symbol.asyncDispose]();
  expect(await stuck).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
});

test("a client that leaves ends its stream's handler", async () => {
  const left = Promise.withResolvers<void>();
  await using server = await startTestServer(pki, {
    watchRevocations: async function* (_, { signal }) {
      signal.addEventListener("abort", () => left.resolve());
      yield {};
      await left.promise;
    },
  });
  await using gateway = server.connect(pki.tls("gateway"));
  const stop = new AbortController();
  const events = keys(gateway.transport).watchRevocations({}, { signal: stop.signal });
  const stream = events[Symbol.asyncIterator]();
  await stream.next();
  stop.abort();
  await expect(left.promise).resolves.toBeUndefined();
});

test("health: live, ready and each dependency", async () => {
  let up = true;
  const database = async (): Promise<void> => {
    if (!up) throw new Error("away");
  };
  await using server = await startTestServer(
    pki,
    {},
    { dependencies: { database, silent: () => sleep(60_000, undefined, { ref: false }) } },
  );
  await using operator = server.connect(pki.tls("operator"));
  const serving = (name: string) =>
    checkHealth(operator.transport, name).then(
      () => true,
      (error: unknown) => failureOf(error).reason,
    );
  expect(await serving("live")).toBe(true);
  expect(await serving("dependency:database")).toBe(true);
  expect(await serving("dependency:silent")).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await serving("ready")).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await serving("dependency:what")).toBe(Reason.NOT_FOUND);
  up = false;
  await sleep(1_050);
  expect(await serving("dependency:database")).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(await serving("live")).toBe(true);
});

test("a process with all it needs is ready", async () => {
  await using server = await startTestServer(
    pki,
    {},
    { dependencies: { database: async () => undefined } },
  );
  await using operator = server.connect(pki.tls("operator"));
  await expect(checkHealth(operator.transport, "ready")).resolves.toBeUndefined();
  await expect(checkHealth(operator.transport, "")).resolves.toBeUndefined();
});

test("a notice shows, and keeps nobody from being served", async () => {
  const outbox = (): Promise<void> => Promise.reject(new Error("look at the outbox"));
  const clean = async (): Promise<void> => undefined;
  await using server = await startTestServer(pki, {}, { notices: { outbox, clean } });
  await using operator = server.connect(pki.tls("operator"));
  const { statuses } = await createClient(Health, operator.transport).list({});
  expect(statuses).toMatchObject({
    ready: { status: Status.SERVING },
    "notice:outbox": { status: Status.NOT_SERVING },
    "notice:clean": { status: Status.SERVING },
    "notice:certificates": { status: Status.SERVING },
  });
});

test("the operator may list and watch", async () => {
  let up = true;
  const database = async (): Promise<void> => {
    if (!up) throw new Error("away");
  };
  await using server = await startTestServer(pki, {}, { dependencies: { database } });
  await using operator = server.connect(pki.tls("operator"));
  const client = createClient(Health, operator.transport);
  const { statuses } = await client.list({});
  expect(Object.keys(statuses).sort()).toEqual([
    "",
    "dependency:database",
    "live",
    "notice:certificates",
    "ready",
  ]);
  const changes = client.watch({ service: "ready" })[Symbol.asyncIterator]();
  expect((await changes.next()).value).toMatchObject({ status: Status.SERVING });
  up = false;
  expect((await changes.next()).value).toMatchObject({ status: Status.NOT_SERVING });
  await using gateway = server.connect(pki.tls("gateway"));
  await expect(createClient(Health, gateway.transport).list({})).rejects.toMatchObject({
    code: Code.PermissionDenied,
  });
});

test("works at 256 calls of a connection at once; what is beyond that waits its turn", async () => {
  const begun: (() => void)[] = [];
  const handlers = {
    resolveKeys: () =>
      new Promise<{ results: [] }>((resolve) => begun.push(() => resolve({ results: [] }))),
  };
  await using server = await startTestServer(pki, handlers);
  await using gateway = server.connect(pki.tls("gateway"));
  // Longer than the default: on a busy machine 260 calls take their time to arrive.
  const patient = { timeoutMs: 60_000 };
  const calls = Array.from({ length: 260 }, () =>
    keys(gateway.transport).resolveKeys(goodRequest, patient),
  );
  await expect.poll(() => begun.length).toBe(256);
  await sleep(50);
  expect(begun).toHaveLength(256);
  for (const end of begun.splice(0)) end();
  await expect.poll(() => begun.length).toBe(4);
  for (const end of begun) end();
  expect(await Promise.all(calls)).toHaveLength(260);
});
