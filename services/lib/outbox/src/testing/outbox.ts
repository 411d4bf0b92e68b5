import { type Database, type Tx, openDatabase } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type {
  AppendStatus,
  Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { createServiceDatabase } from "@sallyport/test/infra";
import { type Outbox, createOutbox } from "../index.ts";
import type { TestLog } from "./log.ts";

/** A database with an outbox and nothing else, and what is done with it in tests. */
export type OutboxGround = AsyncDisposable & {
  readonly database: Database;
  /** What outboxes logged, as lines. */
  readonly lines: string[];
  start(log: TestLog): Outbox & AsyncDisposable;
  /** Commits a change of so many events and returns their ids. */
  change(outbox: Outbox, count?: number): Promise<string[]>;
  /** Makes a change whose event audit refuses, and returns its transaction. */
  refusedChange(
    outbox: Outbox,
    log: TestLog,
    how: AppendStatus | "contract",
  ): Promise<{ readonly own: Tx; readonly eventId: string }>;
  /** The events that are marked as refused. */
  setAside(): Promise<{ readonly id: string; readonly reason: string }[]>;
  /** How many events are stored. */
  pending(): Promise<number>;
};

/** Makes the database; its serving role may do with the outbox what a service's may. */
export async function createOutboxGround(): Promise<OutboxGround> {
  const urls = await createServiceDatabase("secrets");
  await using owner = openDatabase({ url: urls.ownerUrl, applicationName: "test" });
  await owner.query(`create table outbox (
    event_id text primary key, event bytea not null, created_at timestamptz not null default clock_timestamp(),
    refused_at timestamptz, refused_reason text)`);
  await owner.query("grant select, insert, delete on outbox to sallyport_secrets");
  await owner.query("grant update (refused_at, refused_reason) on outbox to sallyport_secrets");
  const database = openDatabase({ url: urls.servingUrl, applicationName: "test" });
  const lines: string[] = [];
  const logger = createLogger({
    service: "secrets",
    stream: { write: (line) => void lines.push(line) },
  });
  return {
    database,
    lines,
    start: (log) => createOutbox({ database, audit: log.client, logger }),
    async change(outbox, count = 1) {
      const events = newEvents(count);
      await database.transaction((tx) => outbox.record(tx, ...events));
      return events.map(({ eventId }) => eventId);
    },
    async refusedChange(outbox, log, how) {
      const [event] = newEvents(1);
      if (!event) throw new Error("no event");
      log.refused.set(event.eventId, how);
      const own = await database.transaction(async (tx) => {
        await outbox.record(tx, event);
        return tx;
      });
      return { own, eventId: event.eventId };
    },
    setAside: () =>
      database.query(
        "select event_id as id, refused_reason as reason from outbox where refused_at is not null",
      ),
    async pending() {
      const [row] = await database.query<{ count: number }>(
        "select count(*)::int as count from outbox",
      );
      return row?.count ?? -1;
    },
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await urls[Symbol.asyncDispose]();
    },
  };
}

/** Makes so many events of changes. */
export function newEvents(count: number): Event[] {
  return Array.from({ length: count }, () =>
    newEvent("secrets", "secret.created", { actorKind: ActorKind.USER }),
  );
}
