import { AsyncLocalStorage } from "node:async_hooks";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { type Database, type Tx, openDatabase } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, toConnectError, toRefusal } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Outbox, createOutbox } from "./index.ts";

let lines: string[] = [];
const logger = createLogger({ service: "secrets", stream: { write: (line) => void lines.push(line) } });
beforeEach(() => void (lines = []));
const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };

let testDatabase: ServiceTestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createServiceDatabase("secrets");
  await using owner = openDatabase({ url: testDatabase.ownerUrl, applicationName: "test" });
  await owner.query(`create table outbox (
    event_id text primary key, event bytea not null, created_at timestamptz not null default clock_timestamp(),
    refused_at timestamptz, refused_reason text)`);
  await owner.query("grant select, insert, delete on outbox to sallyport_secrets");
  await owner.query("grant update (refused_at, refused_reason) on outbox to sallyport_secrets");
  database = openDatabase({ url: testDatabase.servingUrl, applicationName: "test" });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await testDatabase[Symbol.asyncDispose]();
});

/** The contract of audit and no more: it takes each id once, in order, refuses some for good, or is away. */
function createLog() {
  const log = {
    taken: [] as string[],
    calls: 0,
    before: async (): Promise<void> => undefined,
    after: async (): Promise<void> => undefined,
    /** Ids that are refused with this status; one that breaks the contract fails its call. */
    refused: new Map<string, AppendStatus | "contract">(),
    client: createClient(
      AppendService,
      createRouterTransport(({ service }) => {
        service(AppendService, {
          async append({ events }) {
            log.calls += 1;
            await log.before();
            const ids = events.map(({ eventId }) => eventId);
            const broken = ids.findIndex((eventId) => log.refused.get(eventId) === "contract");
            if (broken >= 0) throw contractBroken(broken);
            const holds = ids.some((eventId) => log.refused.get(eventId) === AppendStatus.REFUSED);
            const results = ids.map((eventId) => resultOf(eventId, log.refused.get(eventId), holds));
            const committed = results.filter(({ status }) => status === AppendStatus.COMMITTED);
            log.taken.push(
              ...committed.map(({ eventId }) => eventId).filter((eventId) => !log.taken.includes(eventId)),
            );
            await log.after();
            return { results: results.toReversed() };
          },
        });
      }),
    ),
  };
  return log;
}

function resultOf(eventId: string, refused: AppendStatus | "contract" | undefined, holds: boolean) {
  if (refused === undefined || refused === "contract")
    return { eventId, status: holds ? AppendStatus.HELD_BACK : AppendStatus.COMMITTED };
  const refusal = toRefusal(fail(Reason.FIELD_INVALID, { field: "source_ip" }));
  return { eventId, status: refused, ...(refused === AppendStatus.REFUSED ? { refusal } : {}) };
}

function contractBroken(index: number): ConnectError {
  const failure = fail(Reason.FIELD_INVALID, {
    field: `events[${index}].actor_id`,
    description: "is too long",
  });
  return toConnectError(failure, "req_00000000000000000000");
}

async function away(): Promise<void> {
  throw new ConnectError("away", Code.Unavailable);
}

async function present(): Promise<void> {}

function start(log: ReturnType<typeof createLog>): Outbox & AsyncDisposable {
  return createOutbox({ database, audit: log.client, logger });
}

async function change(outbox: Outbox, count = 1): Promise<string[]> {
  const events = newEvents(count);
  await database.transaction((tx) => outbox.record(tx, ...events));
  return events.map(({ eventId }) => eventId);
}

function newEvents(count: number): Event[] {
  return Array.from({ length: count }, () =>
    newEvent("secrets", "secret.created", { actorKind: ActorKind.USER }),
  );
}

/** Makes a change whose event audit refuses, and returns its transaction. */
async function refusedChange(
  outbox: Outbox,
  log: ReturnType<typeof createLog>,
  how: AppendStatus | "contract",
): Promise<{ readonly own: Tx; readonly eventId: string }> {
  const [event] = newEvents(1);
  if (!event) throw new Error("no event");
  log.refused.set(event.eventId, how);
  const own = await database.transaction(async (tx) => {
    await outbox.record(tx, event);
    return tx;
  });
  return { own, eventId: event.eventId };
}

async function setAside(): Promise<{ readonly id: string; readonly reason: string }[]> {
  return database.query(
    "select event_id as id, refused_reason as reason from outbox where refused_at is not null",
  );
}

async function pending(): Promise<number> {
  const [row] = await database.query<{ count: number }>("select count(*)::int as count from outbox");
  return row?.count ?? -1;
}

test("delivers what was committed, more than fits into one call, and forgets it then", async () => {
  const log = createLog();
  await using outbox = start(log);
  const ids = await change(outbox, 450);
  await outbox.drain();
  expect(log.taken).toEqual(ids); // In the order in which they were told.
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

const refusedForGood = { reason: Reason.INTERNAL };

/** Has everything delivered that can be, whatever is refused. */
async function deliver(outbox: Outbox): Promise<void> {
  await outbox.drain().catch((error: unknown) => expect(error).toMatchObject(refusedForGood));
}

describe("an event that audit refuses for good", () => {
  test.each([
    ["by the catalogue", AppendStatus.REFUSED, "FIELD_INVALID source_ip"],
    ["as another's id", AppendStatus.CONFLICT, "CONFLICT"],
    ["by the contract", "contract", "FIELD_INVALID events[0].actor_id is too long"],
  ] as const)("%s: stays with its reason, and holds up nothing behind it", async (_, how, reason) => {
    const log = createLog();
    await using outbox = start(log);
    await deliver(outbox);
    const before = await change(outbox, 3);
    const { eventId } = await refusedChange(outbox, log, how);
    const behind = await change(outbox, 3);
    await deliver(outbox);
    expect(log.taken.toSorted()).toEqual([...before, ...behind].toSorted());
    expect(await setAside()).toEqual([{ id: eventId, reason }]);
    await expect(outbox.checkRefused()).rejects.toMatchObject(refusedForGood);
    const logged = lines.filter((line) => line.includes(eventId));
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('"level":"error"');
    const later = await change(outbox);
    await outbox.drain();
    expect(log.taken.slice(-1)).toEqual(later);
  });

  test("is not answered as recorded, whoever delivered it first; the others' changes are", async () => {
    const log = createLog();
    await using outbox = start(log);
    const { own } = await refusedChange(outbox, log, AppendStatus.REFUSED);
    const other = await database.transaction(async (tx) => {
      await outbox.record(tx, ...newEvents(2));
      return tx;
    });
    const [mine, theirs] = await Promise.allSettled([outbox.drain(own), outbox.drain(other)]);
    expect(mine).toMatchObject({ status: "rejected", reason: refusedForGood });
    expect(theirs).toMatchObject({ status: "fulfilled" });
    // By now nothing is pending: only the table knows.
    await expect(outbox.drain(own)).rejects.toMatchObject(refusedForGood);
    await outbox.drain(other);
    await deliver(outbox);
  });

  test("counts against everyone who does not say which events are his own", async () => {
    const log = createLog();
    await using outbox = start(log);
    await deliver(outbox);
    await refusedChange(outbox, log, AppendStatus.REFUSED);
    await expect(outbox.drain()).rejects.toMatchObject(refusedForGood);
    await outbox.drain();
  });

  test("among many of its kind is found, and every other one is delivered", async () => {
    const log = createLog();
    await using outbox = start(log);
    await deliver(outbox);
    const events = newEvents(450);
    const kinds = [AppendStatus.REFUSED, AppendStatus.CONFLICT, "contract"] as const;
    const bad = events.filter((_, index) => index % 37 === 5);
    bad.forEach(({ eventId }, index) => log.refused.set(eventId, kinds[index % 3] ?? "contract"));
    await database.transaction((tx) => outbox.record(tx, ...events));
    await deliver(outbox);
    expect((await setAside()).map(({ id }) => id).toSorted()).toEqual(
      bad.map(({ eventId }) => eventId).toSorted(),
    );
    expect(new Set(log.taken).size).toBe(events.length - bad.length);
  });

  test("that cannot even be read is set aside too", async () => {
    const log = createLog();
    await using outbox = start(log);
    await database.query("insert into outbox (event_id, event) values ('evt_x', '\\xff')");
    const ids = await change(outbox);
    await deliver(outbox);
    expect(log.taken).toEqual(ids);
    expect(await setAside()).toEqual([{ id: "evt_x", reason: "MALFORMED" }]);
  });

  test("is delivered once an operator clears the mark and audit takes it", async () => {
    const log = createLog();
    await using outbox = start(log);
    const { eventId } = await refusedChange(outbox, log, AppendStatus.REFUSED);
    await deliver(outbox);
    log.refused.clear();
    await database.query("update outbox set refused_at = null where event_id = $1", [eventId]);
    await deliver(outbox);
    expect(log.taken).toEqual([eventId]);
    await outbox.checkRefused();
  });
});

test("is ready without waiting for a delivery under way, and not while records are held up", async () => {
  const log = createLog();
  const gate = Promise.withResolvers<void>();
  await using outbox = start(log);
  await deliver(outbox);
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

test("an event that audit does not confirm stays pending, and drain says so", async () => {
  const log = createLog();
  await using outbox = start(log);
  const { own } = await refusedChange(outbox, log, AppendStatus.UNSPECIFIED);
  await expect(outbox.drain(own)).rejects.toMatchObject(unavailable);
  await expect(outbox.ready()).rejects.toMatchObject(unavailable);
  expect(await setAside()).toEqual([]);
  expect(await pending()).toBe(1);
});

test("an audit that lets us do nothing at all marks no event", async () => {
  const log = createLog();
  log.before = async () => {
    throw toConnectError(fail(Reason.PEER_NOT_ALLOWED), "req_00000000000000000000");
  };
  await using outbox = start(log);
  await change(outbox, 5);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(await setAside()).toEqual([]);
  expect(await pending()).toBe(5);
});

test("own events that another replica delivered count as acknowledged", async () => {
  const log = createLog();
  await using outbox = start(log);
  await deliver(outbox);
  const own = await database.transaction(async (tx) => {
    await outbox.record(tx, ...newEvents(1));
    return tx;
  });
  await using replica = start(log);
  await deliver(replica);
  await outbox.drain(own);
  expect(log.taken).toHaveLength(1);
});

test("events of no change are stored at once, given twice or not, and delivered", async () => {
  const log = createLog();
  log.before = away;
  await using outbox = start(log);
  const events = newEvents(2);
  await outbox.send(events);
  await outbox.send(events);
  expect(await pending()).toBe(2);
  log.before = present;
  await vi.waitFor(() => expect(log.taken).toEqual(events.map(({ eventId }) => eventId)), { timeout: 5_000 });
});

test("refusals are counted, and what is counted is stored when it stops", async () => {
  const log = createLog();
  log.before = away;
  const outbox = start(log);
  const record = (count: number) =>
    newEvent("secrets", "mutation.replayed", {
      actorKind: ActorKind.UNKNOWN,
      detail: { count: String(count) },
    });
  for (let n = 0; n < 100; n += 1)
    await outbox.note({ group: "g", kind: "k", rest: "r", record, restRecord: record });
  expect(await pending()).toBe(1);
  await outbox[Symbol.asyncDispose]();
  const rows = await database.query<{ event: Uint8Array }>("select event from outbox order by created_at");
  const counts = rows.map(({ event }) => fromBinary(EventSchema, event).detail["count"]);
  expect(counts).toEqual(["1", "99"]);
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
