import { createClient } from "@connectrpc/connect";
import { createOutbox } from "@sallyport/outbox";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { connectPeer } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import {
  type ServiceTestDatabase,
  type TestPki,
  createServiceDatabase,
  createTestPki,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createRoots } from "./fixture.ts";
import { startAudit } from "./server.ts";

const roots = createRoots(Date.now());
let pki: TestPki;
let log: ServiceTestDatabase;
let owner: ServiceTestDatabase;
let database: Database;

beforeAll(async () => {
  [pki, log, owner] = await Promise.all([
    createTestPki(),
    createServiceDatabase("audit"),
    createServiceDatabase("secrets"),
  ]);
  await migrate({ url: log.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  await using tables = openDatabase({ url: owner.ownerUrl, applicationName: "test" });
  await tables.query("create table things (name text primary key)");
  await tables.query(`create table outbox (
    event_id text primary key, event bytea not null, created_at timestamptz not null default now())`);
  await tables.query("grant select, insert, delete on outbox, things to sallyport_secrets");
  database = openDatabase({ url: owner.servingUrl, applicationName: "test" });
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await Promise.all([log, owner, pki].map((resource) => resource[Symbol.asyncDispose]()));
});

function start(port: number) {
  return startAudit({
    ...pki.tls("audit"),
    listen: { host: "127.0.0.1", port },
    trustDomain: pki.trustDomain,
    publicNames: ["localhost:8443"],
    clockWindowSeconds: 60,
    keyset: roots.keyset,
    rootFingerprint: roots.rootFingerprint,
    databaseUrl: log.servingUrl,
    operatorVault: undefined,
    logLevel: "silent",
  });
}

async function recorded(): Promise<string[]> {
  await using reader = openDatabase({ url: log.servingUrl, applicationName: "test" });
  const rows = await reader.query<{ event_id: string }>("select event_id from records order by seq");
  return rows.map(({ event_id }) => event_id);
}

test("a change that is made while audit is down is recorded once after it is back", async () => {
  const first = await start(0);
  const { port } = first;
  await using connection = connectPeer({
    peer: "audit",
    url: `https://localhost:${port}`,
    tls: pki.tls("secrets"),
    trustDomain: pki.trustDomain,
  });
  const audit = createClient(AppendService, connection.transport);
  const logger = createLogger({ service: "secrets", level: "silent" });
  await using outbox = createOutbox({ database, audit, logger });
  const change = async (name: string): Promise<string> => {
    const event = newEvent("secrets", "secret.created", { actorKind: ActorKind.USER, detail: { name } });
    await database.transaction(async (tx) => {
      await tx.query("insert into things (name) values ($1)", [name]);
      await outbox.record(tx, event);
    });
    return event.eventId;
  };

  const before = await change("before");
  await outbox.drain();
  expect(await recorded()).toEqual([before]);

  await first[Symbol.asyncDispose]();
  const during = await change("during");
  await expect(outbox.drain()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(await recorded()).toEqual([before]);

  await using _second = await start(port);
  await vi.waitFor(async () => expect(await recorded()).toEqual([before, during]), { timeout: 8_000 });
  await outbox.drain();
  const after = await change("after");
  await outbox.drain();
  expect(await recorded()).toEqual([before, during, after]);
}, 30_000);
