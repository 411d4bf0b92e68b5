import { AsyncLocalStorage } from "node:async_hooks";
import { fromBinary } from "@bufbuild/protobuf";
import { newEvent } from "@sallyport/proto/catalogue";
import { EventSchema } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { away, createLog, present } from "./testing/log.ts";
import { type OutboxGround, createOutboxGround, newEvents } from "./testing/outbox.ts";

const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };

let ground: OutboxGround;
beforeEach(async () => (ground = await createOutboxGround()));
afterEach(() => ground[Symbol.asyncDispose]());

test("delivers what was committed, more than fits into one call, and forgets it then", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  const ids = await ground.change(outbox, 450);
  await outbox.drain();
  expect(log.taken).toEqual(ids); // In the order in which they were told.
  expect(await ground.pending()).toBe(0);
});

test("delivers nothing of a change that was rolled back", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  const failing = ground.database.transaction(async (tx) => {
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
  await using outbox = ground.start(log);
  const ids = await ground.change(outbox);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(await ground.pending()).toBe(1);
  log.before = present;
  await vi.waitFor(async () => expect(await ground.pending()).toBe(0), { timeout: 5_000 });
  expect(log.taken).toEqual(ids);
});

test("a lost acknowledgement is followed by the same event, which the log knows", async () => {
  const log = createLog();
  log.after = away;
  await using outbox = ground.start(log);
  const ids = await ground.change(outbox);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(log.taken).toEqual(ids);
  log.after = present;
  await outbox.drain();
  expect(log.taken).toEqual(ids);
  expect(await ground.pending()).toBe(0);
});

test("is ready without waiting for a delivery under way, and not while records are held up", async () => {
  const log = createLog();
  const gate = Promise.withResolvers<void>();
  await using outbox = ground.start(log);
  await outbox.drain();
  log.before = () => gate.promise.then(away);
  await ground.change(outbox);
  const slow = outbox.drain();
  await outbox.ready();
  gate.resolve();
  await expect(slow).rejects.toMatchObject(unavailable);
  await expect(outbox.ready()).rejects.toMatchObject(unavailable);
  log.before = present;
  await outbox.ready();
  expect(await ground.pending()).toBe(0);
});

test("own events that another replica delivered count as acknowledged", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  await outbox.drain();
  const own = await ground.database.transaction(async (tx) => {
    await outbox.record(tx, ...newEvents(1));
    return tx;
  });
  await using replica = ground.start(log);
  await replica.drain();
  await outbox.drain(own);
  expect(log.taken).toHaveLength(1);
});

test("events of no change are stored at once, given twice or not, and delivered", async () => {
  const log = createLog();
  log.before = away;
  await using outbox = ground.start(log);
  const events = newEvents(2);
  await outbox.send(events);
  await outbox.send(events);
  expect(await ground.pending()).toBe(2);
  log.before = present;
  await vi.waitFor(() => expect(log.taken).toEqual(events.map(({ eventId }) => eventId)), {
    timeout: 5_000,
  });
});

test("refusals are counted, and what is counted is stored when it stops", async () => {
  const log = createLog();
  log.before = away;
  const outbox = ground.start(log);
  const record = (count: number) =>
    newEvent("secrets", "mutation.replayed", {
      actorKind: ActorKind.UNKNOWN,
      detail: { count: String(count) },
    });
  for (let n = 0; n < 100; n += 1)
    await outbox.note({ group: "g", kind: "k", rest: "r", record, restRecord: record });
  expect(await ground.pending()).toBe(1);
  await outbox[Symbol.asyncDispose]();
  const rows = await ground.database.query<{ event: Uint8Array }>(
    "select event from outbox order by created_at",
  );
  const counts = rows.map(({ event }) => fromBinary(EventSchema, event).detail["count"]);
  expect(counts).toEqual(["1", "99"]);
});

test("a process delivers what an earlier one left behind", async () => {
  const log = createLog();
  log.before = away;
  const earlier = ground.start(log);
  const ids = await ground.change(earlier);
  await earlier[Symbol.asyncDispose]();
  expect(await ground.pending()).toBe(1);
  log.before = present;
  await using _outbox = ground.start(log);
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
  await using outbox = ground.start(log);
  await ground.change(outbox);
  const first = outbox.drain();
  await entered.promise;
  const ids = await ground.change(outbox);
  const second = outbox.drain();
  gate.resolve();
  await first;
  await second;
  expect(log.taken).toEqual(expect.arrayContaining(ids));
});

test("callers at once share deliveries", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  await outbox.drain();
  await ground.change(outbox, 20);
  await Promise.all(Array.from({ length: 20 }, () => outbox.drain()));
  expect(log.calls).toBeLessThanOrEqual(2);
  expect(log.taken).toHaveLength(20);
});

test("a delivery does not end by the deadline of the call that began it", async () => {
  const calls = new AsyncLocalStorage<string>();
  const log = createLog();
  await using outbox = ground.start(log);
  await outbox.drain();
  let seen: string | undefined = "none";
  log.before = async () => void (seen = calls.getStore());
  await ground.change(outbox);
  await calls.run("a call", () => outbox.drain());
  expect(seen).toBeUndefined();
});
