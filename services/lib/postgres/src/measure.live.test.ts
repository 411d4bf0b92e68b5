import { exposeMetrics, inCallersTrace, inSpan, startTelemetry } from "@sallyport/telemetry";
import {
  type Collector,
  type ServiceTestDatabase,
  createServiceDatabase,
  seriesOf,
  startCollector,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Database, openDatabase } from "./index.ts";
import { summaryOf } from "./measure.ts";

describe("of a statement only its first word and its first table are told", () => {
  test.each([
    ["select 1", "SELECT"],
    ["  select name, 'hunter2' as word from users where name = $1", "SELECT users"],
    ["insert into outbox (event_id, event) values ($1, $2)", "INSERT outbox"],
    ["update machines set state = $2 where machine_id = $1", "UPDATE machines"],
    [
      "delete from key_changes where change_id in (select 1 from other for update)",
      "DELETE key_changes",
    ],
    [
      "select 1 from unnest($1::text[]) as asked (id) join records r on r.id = asked.id",
      "SELECT records",
    ],
    ["with asked as (select 1) select * from asked", "WITH asked"],
    ["begin", "BEGIN"],
    ["set enable_seqscan = off", "SET"],
    ["", "OTHER"],
  ])("%s", (text, name) => {
    expect(summaryOf(text).name).toBe(name);
  });
});

let place: ServiceTestDatabase;
let database: Database;
let collector: Collector;

beforeAll(async () => {
  place = await createServiceDatabase("policy");
  database = openDatabase({ url: place.ownerUrl, applicationName: "measured", poolSize: 2 });
  await database.query("create table item (name text constraint item_name_key unique)");
});
beforeEach(async () => {
  collector = await startCollector();
  return () => collector[Symbol.asyncDispose]();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

/** Runs code within a request that is traced. */
async function traced(run: () => Promise<unknown>): Promise<void> {
  await using _ = await startTelemetry({ service: "policy", otlpUrl: collector.url });
  const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await inCallersTrace(caller, () => inSpan({ name: "request", kind: "server" }, run));
}

test("statements and transactions are spans of the request, without a value", async () => {
  await traced(() =>
    database.transaction(async (tx) => {
      await tx.query("insert into item (name) values ($1)", ["hunter2"]);
      await tx.query("select name from item where name = $1", ["hunter2"]);
    }),
  );
  const request = collector.spans.find(({ name }) => name === "request");
  const statements = collector.spans.filter(({ parentSpanId }) => parentSpanId === request?.spanId);
  expect(statements.map(({ name }) => name)).toEqual([
    "BEGIN",
    "INSERT item",
    "SELECT item",
    "COMMIT",
  ]);
  expect(statements[1]).toMatchObject({
    kind: 3,
    attributes: {
      "db.system.name": "postgresql",
      "db.operation.name": "INSERT",
      "db.collection.name": "item",
    },
  });
  expect(collector.text()).not.toContain("hunter2");
});

test("a failure is told by its code, and by no word of the row that it is about", async () => {
  await database.query("insert into item (name) values ($1) on conflict do nothing", ["hunter2"]);
  const insert = () => database.query("insert into item (name) values ($1)", ["hunter2"]);
  await traced(() => insert().catch(() => undefined));
  const [statement] = collector.spans;
  expect(statement).toMatchObject({ failed: true, attributes: { "error.type": "23505" } });
  expect(collector.text()).not.toMatch(/hunter2|item_name_key/);
  const name = "db_client_operation_duration_seconds_count";
  const labels = 'db_system_name="postgresql",db_operation_name="INSERT",error_type="23505"';
  expect(seriesOf(await exposeMetrics()).get(`${name}{${labels}}`)).toBe(1);
});

test("a pool shows its connections, in use, idle and waited for", async () => {
  const shown = async () => {
    const series = seriesOf(await exposeMetrics());
    const pool = 'db_client_connection_pool_name="measured"';
    return {
      used: series.get(`db_client_connection_count{${pool},db_client_connection_state="used"}`),
      idle: series.get(`db_client_connection_count{${pool},db_client_connection_state="idle"}`),
      waiting: series.get(`db_client_connection_pending_requests{${pool}}`),
      max: series.get(`db_client_connection_max{${pool}}`),
    };
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = [1, 2].map(() => database.transaction(() => promise));
  const waiting = database.query("select 1");
  await expect.poll(shown).toEqual({ used: 2, idle: 0, waiting: 1, max: 2 });
  resolve();
  await Promise.all([...held, waiting]);
  expect(await shown()).toEqual({ used: 0, idle: 2, waiting: 0, max: 2 });
});
