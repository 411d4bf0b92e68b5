import { type Socket, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure } from "@sallyport/rpc";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, isUniqueViolation, openDatabase } from "./index.ts";

let place: ServiceTestDatabase;
let database: Database;

beforeAll(async () => {
  place = await createServiceDatabase("audit");
  database = openDatabase({ url: place.ownerUrl, applicationName: "postgres-test" });
  await database.query(
    "create table item (id int constraint item_pkey primary key, name text unique)",
  );
});
beforeEach(() => database.query("delete from item"));
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const names = async (): Promise<string[]> =>
  (await database.query<{ name: string }>("select name from item order by id")).map(
    ({ name }) => name,
  );
const unavailable = { reason: Reason.DEPENDENCY_UNAVAILABLE };

test("types: bytea, bigint, timestamptz, and what goes in", async () => {
  const bytes = new Uint8Array([0, 255]);
  const when = new Date("2026-01-02T03:04:05.678Z");
  const [row] = await database.query(
    "select $1::bytea as bytes, $2::bigint as large, count(*), 7::int as small, $3::timestamptz as time, $4::text[] as list",
    [bytes, 2n ** 62n, when, ["a", 'b"c']],
  );
  expect(row).toEqual({
    bytes: Buffer.from(bytes),
    large: 2n ** 62n,
    count: 1n,
    small: 7,
    time: when,
    list: ["a", 'b"c'],
  });
});

test("statements are prepared once on a connection, and the connection has a name", async () => {
  await using single = openDatabase({
    url: place.ownerUrl,
    applicationName: "single",
    poolSize: 1,
  });
  for (const id of [1, 2]) await single.query("select $1::int as prepared_here", [id]);
  const prepared = await single.query(
    "select name from pg_prepared_statements where statement like '%prepared_here%' and name <> ''",
  );
  expect(prepared.length).toBeGreaterThanOrEqual(1);
  const [{ name } = { name: "" }] = await single.query<{ name: string }>(
    "select current_setting('application_name') as name",
  );
  expect(name).toBe("single");
});

test("a transaction is all or nothing", async () => {
  await database.transaction(async (tx) => {
    await tx.query("insert into item values ($1, $2)", [1, "kept"]);
    await tx.query("insert into item values ($1, $2)", [2, "too"]);
  });
  const broken = database.transaction(async (tx) => {
    await tx.query("insert into item values ($1, $2)", [3, "lost"]);
    throw new RangeError("stop");
  });
  await expect(broken).rejects.toThrow(RangeError);
  expect(await names()).toEqual(["kept", "too"]);
});

test("a transaction that is over takes no statement", async () => {
  const forgotten = await database.transaction(async (tx) => ({ tx }));
  await expect((async () => forgotten.tx.query("select 1"))()).rejects.toThrow(/over/);
});

test("a unique violation is recognised, by its constraint", async () => {
  await database.query("insert into item values (1, 'a')");
  const error: unknown = await database
    .query("insert into item values (1, 'b')")
    .catch((cause: unknown) => cause);
  expect(isUniqueViolation(error)).toBe(true);
  expect(isUniqueViolation(error, "item_pkey")).toBe(true);
  expect(isUniqueViolation(error, "item_name_key")).toBe(false);
  expect(isUniqueViolation(new Error("23505"))).toBe(false);
  expect(error).not.toBeInstanceOf(Failure);
});

test("a fault of the statement is no outage", async () => {
  await expect(database.query("select nothing_like_this")).rejects.not.toBeInstanceOf(Failure);
});

test("a statement that takes too long is given up, and the pool lives on", async () => {
  await expect(database.query("select pg_sleep(30)")).rejects.toMatchObject(unavailable);
  await database.ping();
}, 15_000);

test("a server that is not there is an outage", async () => {
  await using away = openDatabase({ url: "postgres://x:y@127.0.0.1:1/z", applicationName: "away" });
  await expect(away.ping()).rejects.toMatchObject(unavailable);
  await expect(away.transaction(async () => undefined)).rejects.toMatchObject(unavailable);
  await using socket = openDatabase({
    url: "postgres://x:y@/z?host=/nowhere",
    applicationName: "away",
  });
  await expect(socket.query("select 1")).rejects.toMatchObject(unavailable);
});

test("a lost connection is an outage for whoever used it, and for nobody after", async () => {
  await using single = openDatabase({
    url: place.ownerUrl,
    applicationName: "victim",
    poolSize: 1,
  });
  const kill = () =>
    database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim' and pid <> pg_backend_pid()",
    );
  const inTransaction = single.transaction(async (tx) => {
    await tx.query("insert into item values (9, 'lost')");
    await kill();
    await tx.query("select 1");
  });
  await expect(inTransaction).rejects.toMatchObject(unavailable);
  await single.ping();
  await kill(); // now while it is idle in the pool
  await sleep(50);
  await single.ping();
  expect(await names()).toEqual([]);
});

test("a server that stops answering is an outage", async () => {
  const silent = createServer((socket) => silentSockets.push(socket));
  const silentSockets: Socket[] = [];
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : undefined;
  await using stuck = openDatabase({
    url: `postgres://x:y@127.0.0.1:${port}/z`,
    applicationName: "stuck",
  });
  await expect(stuck.ping()).rejects.toMatchObject(unavailable);
  for (const socket of silentSockets) socket.destroy();
  silent.close();
});

test("a full pool makes one wait, and then is an outage", async () => {
  await using single = openDatabase({ url: place.ownerUrl, applicationName: "full", poolSize: 1 });
  const held = single.transaction(() => sleep(3_500));
  await expect(single.ping()).rejects.toMatchObject(unavailable);
  await held;
  await single.ping();
});
