import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSession } from "./index.ts";

let place: ServiceTestDatabase;
beforeAll(async () => void (place = await createServiceDatabase("audit")));
afterAll(() => place[Symbol.asyncDispose]());

const open = (applicationName: string) => openSession({ url: place.ownerUrl, applicationName });
type Locked = { readonly locked: boolean };

test("a lock belongs to the session, and ends with it", async () => {
  const holder = await open("holder");
  await using other = await open("other");
  const lock = "select pg_try_advisory_lock(42) as locked";
  expect(await holder.query<Locked>(lock)).toEqual([{ locked: true }]);
  expect(await other.query<Locked>(lock)).toEqual([{ locked: false }]);
  await holder[Symbol.asyncDispose]();
  await expect.poll(() => other.query<Locked>(lock)).toEqual([{ locked: true }]);
});

test("statements wait for a running transaction, and do not slip into it", async () => {
  await using session = await open("turns");
  await session.query("create table turn (n int)");
  const rolledBack = session.transaction(async (tx) => {
    await tx.query("insert into turn values (1)");
    await new Promise((resolve) => setTimeout(resolve, 30));
    throw new RangeError("stop");
  });
  const outside = session.query("insert into turn values (2)");
  await expect(rolledBack).rejects.toThrow(RangeError);
  await outside;
  expect(await session.query("select n from turn")).toEqual([{ n: 2 }]);
});

test("a lost session says so, once, and takes no more statements", async () => {
  const session = await open("lost");
  await using other = await open("killer");
  const told: Error[] = [];
  const lost = new Promise<void>((resolve) =>
    session.onLost((error) => {
      told.push(error);
      resolve();
    }),
  );
  await other.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'",
  );
  await lost;
  await expect(session.query("select 1")).rejects.toMatchObject({
    reason: Reason.DEPENDENCY_UNAVAILABLE,
  });
  expect(told).toHaveLength(1);
  const late = new Promise((resolve) => session.onLost(resolve));
  expect(await late).toBe(told[0]);
  await session[Symbol.asyncDispose]();
});

test("a session that was disposed is not lost", async () => {
  let lost = 0;
  const session = await open("ended");
  session.onLost(() => (lost += 1));
  await session[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(lost).toBe(0);
});

test("a server that is not there is an outage", async () => {
  const away = openSession({ url: "postgres://x:y@127.0.0.1:1/z", applicationName: "away" });
  await expect(away).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
});
