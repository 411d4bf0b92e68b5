// An event that audit refuses for good.
import { AppendStatus } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, toConnectError } from "@sallyport/rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outbox } from "./index.ts";
import { away, createLog } from "./testing/log.ts";
import { type OutboxGround, createOutboxGround, newEvents } from "./testing/outbox.ts";

const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };
const refusedForGood = { reason: Reason.INTERNAL };

let ground: OutboxGround;
beforeEach(async () => (ground = await createOutboxGround()));
afterEach(() => ground[Symbol.asyncDispose]());

/** Has everything delivered that can be, whatever is refused. */
async function deliver(outbox: Outbox): Promise<void> {
  await outbox.drain().catch((error: unknown) => expect(error).toMatchObject(refusedForGood));
}

test.each([
  ["by the catalogue", AppendStatus.REFUSED, "FIELD_INVALID source_ip"],
  ["as another's id", AppendStatus.CONFLICT, "CONFLICT"],
  ["by the contract", "contract", "FIELD_INVALID events[0].actor_id is too long"],
] as const)("%s: stays with its reason, and holds up nothing behind it", async (_, how, reason) => {
  const log = createLog();
  await using outbox = ground.start(log);
  await deliver(outbox);
  const before = await ground.change(outbox, 3);
  const { eventId } = await ground.refusedChange(outbox, log, how);
  const behind = await ground.change(outbox, 3);
  await deliver(outbox);
  expect(log.taken.toSorted()).toEqual([...before, ...behind].toSorted());
  expect(await ground.setAside()).toEqual([{ id: eventId, reason }]);
  await expect(outbox.checkRefused()).rejects.toMatchObject(refusedForGood);
  const logged = ground.lines.filter((line) => line.includes(eventId));
  expect(logged).toHaveLength(1);
  expect(logged[0]).toContain('"level":"error"');
  const later = await ground.change(outbox);
  await outbox.drain();
  expect(log.taken.slice(-1)).toEqual(later);
});

test("is not answered as recorded, whoever delivered it first; the others' changes are", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  const { own } = await ground.refusedChange(outbox, log, AppendStatus.REFUSED);
  const other = await ground.database.transaction(async (tx) => {
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
  await using outbox = ground.start(log);
  await deliver(outbox);
  await ground.refusedChange(outbox, log, AppendStatus.REFUSED);
  await expect(outbox.drain()).rejects.toMatchObject(refusedForGood);
  await outbox.drain();
});

test("among many of its kind is found, and every other one is delivered", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  await deliver(outbox);
  const events = newEvents(450);
  const kinds = [AppendStatus.REFUSED, AppendStatus.CONFLICT, "contract"] as const;
  const bad = events.filter((_, index) => index % 37 === 5);
  bad.forEach(({ eventId }, index) => log.refused.set(eventId, kinds[index % 3] ?? "contract"));
  await ground.database.transaction((tx) => outbox.record(tx, ...events));
  await deliver(outbox);
  expect((await ground.setAside()).map(({ id }) => id).toSorted()).toEqual(
    bad.map(({ eventId }) => eventId).toSorted(),
  );
  expect(new Set(log.taken).size).toBe(events.length - bad.length);
});

test("that cannot even be read is set aside too", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  await ground.database.query("insert into outbox (event_id, event) values ('evt_x', '\\xff')");
  const ids = await ground.change(outbox);
  await deliver(outbox);
  expect(log.taken).toEqual(ids);
  expect(await ground.setAside()).toEqual([{ id: "evt_x", reason: "MALFORMED" }]);
});

test("is delivered once an operator clears the mark and audit takes it", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  const { eventId } = await ground.refusedChange(outbox, log, AppendStatus.REFUSED);
  await deliver(outbox);
  log.refused.clear();
  await ground.database.query("update outbox set refused_at = null where event_id = $1", [eventId]);
  await deliver(outbox);
  expect(log.taken).toEqual([eventId]);
  await outbox.checkRefused();
});

test("an event that audit does not confirm stays pending, and drain says so", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  const { own } = await ground.refusedChange(outbox, log, AppendStatus.UNSPECIFIED);
  await expect(outbox.drain(own)).rejects.toMatchObject(unavailable);
  await expect(outbox.ready()).rejects.toMatchObject(unavailable);
  expect(await ground.setAside()).toEqual([]);
  expect(await ground.pending()).toBe(1);
});

test("an audit that lets us do nothing at all marks no event", async () => {
  const log = createLog();
  log.before = async () => {
    throw toConnectError(fail(Reason.PEER_NOT_ALLOWED), "req_00000000000000000000");
  };
  await using outbox = ground.start(log);
  await ground.change(outbox, 5);
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(await ground.setAside()).toEqual([]);
  expect(await ground.pending()).toBe(5);
});

test("is logged, though audit is away before the next is taken", async () => {
  const log = createLog();
  await using outbox = ground.start(log);
  await deliver(outbox);
  const events = newEvents(2);
  const eventId = events[0]?.eventId ?? "";
  log.refused.set(eventId, AppendStatus.REFUSED);
  log.after = async () => {
    log.before = away;
  };
  await ground.database.transaction((tx) => outbox.record(tx, ...events));
  await expect(outbox.drain()).rejects.toMatchObject(unavailable);
  expect(ground.lines.filter((line) => line.includes(eventId))).toEqual([
    expect.stringContaining('"level":"error"'),
  ]);
});
