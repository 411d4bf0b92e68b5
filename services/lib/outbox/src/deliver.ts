import { fromBinary } from "@bufbuild/protobuf";
import type { Database } from "@sallyport/postgres";
import {
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { type Append, type RefusedEvent, appendEvents } from "@sallyport/audit-events";
import type { Logger } from "@sallyport/telemetry";

/** The fate of the events that were pending. */
export type Delivery = {
  readonly acknowledged: ReadonlySet<string>;
  readonly refused: readonly RefusedEvent[];
};

// Small enough that the largest events fit into one message of 4 MiB.
const batchSize = 200;

type Query = Pick<Database, "query">;
type Pending = { readonly event_id: string; readonly event: Uint8Array };

/**
 * Delivers pending events, oldest first, until none is left that was there at the last look. One
 * that audit refuses permanently is marked, logged and passed over, so that it holds up nothing
 * behind it. Throws what the database throws, and an Error when audit is away or did not confirm an
 * event: it then stays pending.
 */
export async function deliverPending(
  database: Query,
  audit: Append,
  logger: Pick<Logger, "error">,
): Promise<Delivery> {
  const acknowledged = new Set<string>();
  const refused: RefusedEvent[] = [];
  for (;;) {
    const batch = await database.query<Pending>(
      `select event_id, event from outbox where refused_at is null
       order by created_at, event_id limit $1`,
      [batchSize],
    );
    const { events, malformed } = decoded(batch);
    const appended = await appendEvents(audit, events);
    const lost = [...malformed, ...appended.refused];
    await forget(database, appended.acknowledged);
    await setAside(database, lost, logger);
    for (const eventId of appended.acknowledged) acknowledged.add(eventId);
    refused.push(...lost);
    if (appended.failure) throw appended.failure;
    if (batch.length < batchSize) return { acknowledged, refused };
  }
}

function decoded(batch: readonly Pending[]) {
  const events: Event[] = [];
  const malformed: RefusedEvent[] = [];
  for (const { event_id: eventId, event } of batch) {
    try {
      events.push(fromBinary(EventSchema, event));
    } catch {
      malformed.push({ eventId, action: "", reason: "MALFORMED" });
    }
  }
  return { events, malformed };
}

async function forget(database: Query, eventIds: readonly string[]): Promise<void> {
  if (eventIds.length === 0) return;
  await database.query("delete from outbox where event_id = any($1::text[])", [eventIds]);
}

// Logged with the mark, whatever else the delivery meets: no later one looks at such an event.
async function setAside(
  database: Query,
  refused: readonly RefusedEvent[],
  logger: Pick<Logger, "error">,
): Promise<void> {
  for (const { eventId, action, reason } of refused) {
    await database.query(
      "update outbox set refused_at = now(), refused_reason = $2 where event_id = $1",
      [eventId, reason],
    );
    logger.error(
      { event_id: eventId, action, reason },
      "audit refused a record for good: it stays here",
    );
  }
}
