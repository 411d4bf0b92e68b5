import { AsyncLocalStorage } from "node:async_hooks";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { type Database, openDatabase } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Outbox, createOutbox } from "./index.ts";

const logger = createLogger({ service: "secrets", level: "silent" });
const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };

let testDatabase: ServiceTestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createServiceDatabase("secrets");
  await using owner = openDatabase({ url: testDatabase.ownerUrl, applicationName: "test" });
  await owner.query(`create table outbox (
    event_id text primary key, event bytea not null, created_at timestamptz not null default now())`);
  await owner.query("grant select, insert, delete on outbox to sallyport_secrets");
  database = openDatabase({ url: testDatabase.servingUrl, applicationName: "test" });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await testDatabase[Symbol.asyncDispose]();
});

/** The contract of audit and no more: it takes each id once, in order, or is away. */
function createLog(status: AppendStatus = AppendStatus.COMMITTED) {
  const log = {
    taken: [] as string[],
    calls: 0,
    before: async (): Promise<void> => undefined,
    after: async (): Promise<void> => undefined,
    client: createClient(
      AppendService,
      createRouterTransport(({ service }) => {
        service(AppendService, {
          async append({ events }) {
            log.calls += 1;
            await log.before();
            const fresh = events.filter(({ eventId }) => !log.taken.includes(eventId));
            if (status === AppendStatus.COMMITTED) log.taken.push(...fresh.map(({ eventId }) => eventId));
            await log.after();
            return { results: events.map(({ eventId }) => ({ eventId, status })) };
          },
        });
      }),
    ),
  };
  return log;
}

async function away(): Promise<void> {
  throw new ConnectError("away", Code.Unavailable);
}

async function present(): Promise<void> {}

function start(log: ReturnType<typeof createLog>): Outbox & AsyncDisposable {
  return createOutbox({ database, audit: log.client, logger });
}

async function change(outbox: Outbox, count = 1): Promise<string[]> {
  const events: Event[] = Array.from({ length: count }, () =>
    newEvent("secrets", "secret.created", { actorKind: ActorKind.USER }),
  );
  await database.transaction((tx) => outbox.record(tx, ...events));
  return events.map(({ eventId }) => eventId);
}

async function pending(): Promise<number> {
  const [row] = await database.query<{ count: number }>("select count(*)::int as count from outbox");
  return row?.count ?? -1;
}

test("delivers what was committed, in its order, more than fits into one call, and forgets it then", async () => {
  const log = createLog();
  await using outbox = start(log);
  const ids = await change(outbox, 450);
  await outbox.drain();
  expect(log.taken).toEqual(ids);
  expect(await pending()).toBe(0);
});

test("is ready without waiting for a delivery under way, and not while records are held up", async () => {
  const log = createLog();
  const gate = Promise.withResolvers<void>();
  await using outbox = start(log);
  await outbox.drain();
  log.before = () => gate.promise.then(away);
  await change(outbox);
  const slow = outbox.drain();
  await outbox.ready();
  gate.resolve();
  await expect(slow).rejects.toMatchObject(unavailable);
  await expect(outbox.ready()).rejects.toMatchObject(unavailable);
  log.before = present;
  await outbox.ready();
  expect(await pending()).toBe(0);
});

test("delivers nothing of a change that was rolled back", async () => {
  const log = createLog();
  await using outbox = start(log);
  const failing = database.transaction(async (tx) => {
    await outbox.record(tx, newEvent("secrets", "secret.created", { actorKind: ActorKind.USER }));
    throw new Error("no change");
  });
  await expect(failing).rejects.toThrow("no change");
  await outbox.drain();
  expect(log.taken).toEqual([]);
});

test("while audit is away drain fails, before the next change too; later it is delivered by itself, once", async () => {
  const log = createLog();
  log.before = away;
  await using outbox = start(log);
  const ids = await change(outbox);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(await pending()).toBe(1);
  log.before = present;
  await vi.waitFor(async () => expect(await pending()).toBe(0), { timeout: 5_000 });
  expect(log.taken).toEqual(ids);
});

test("a lost acknowledgement is followed by the same event, which the log knows", async () => {
  const log = createLog();
  log.after = away;
  await using outbox = start(log);
  const ids = await change(outbox);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(log.taken).toEqual(ids);
  log.after = present;
  await outbox.drain();
  expect(log.taken).toEqual(ids);
  expect(await pending()).toBe(0);
});

test("what audit does not take stays, and drain says so", async () => {
  const log = createLog(AppendStatus.CONFLICT);
  await using outbox = start(log);
  await change(outbox);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(await pending()).toBe(1);
});

test("a process delivers what an earlier one left behind", async () => {
  const log = createLog();
  log.before = away;
  const earlier = start(log);
  const ids = await change(earlier);
  await earlier[Symbol.asyncDispose]();
  expect(await pending()).toBe(1);
  log.before = present;
  await using _outbox = start(log);
  await vi.waitFor(() => expect(log.taken).toEqual(ids), { timeout: 5_000 });
});

test("drain waits for what its caller committed while another delivery was under way", async () => {
  const log = createLog();
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  log.before = () => {
    entered.resolve();
    return gate.promise;
  };
  await using outbox = start(log);
  await change(outbox);
  const first = outbox.drain();
  await entered.promise;
  const ids = await change(outbox);
  const second = outbox.drain();
  gate.resolve();
  await first;
  await second;
  expect(log.taken).toEqual(expect.arrayContaining(ids));
});

test("callers at once share deliveries", async () => {
  const log = createLog();
  await using outbox = start(log);
  await outbox.drain();
  await change(outbox, 20);
  await Promise.all(Array.from({ length: 20 }, () => outbox.drain()));
  expect(log.calls).toBeLessThanOrEqual(2);
  expect(log.taken).toHaveLength(20);
});

test("a delivery does not end by the deadline of the call that began it", async () => {
  const calls = new AsyncLocalStorage<string>();
  const log = createLog();
  await using outbox = start(log);
  await outbox.drain();
  let seen: string | undefined = "none";
  log.before = async () => void (seen = calls.getStore());
  await change(outbox);
  await calls.run("a call", () => outbox.drain());
  expect(seen).toBeUndefined();
});
