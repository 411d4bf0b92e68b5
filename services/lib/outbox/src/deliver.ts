import { create, fromBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import {
  AppendRequestSchema,
  type AppendService,
  AppendStatus,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";

// Small enough that the largest events fit into one message of 4 MiB.
const batchSize = 200;

type Pending = { readonly event_id: string; readonly event: Uint8Array };

/**
 * Delivers pending events, oldest first, until none is left that was there at the last look; returns how many. Throws
 * what the database or the call throws, and an Error when audit did not take an event: it then stays where it is.
 */
export async function deliverPending(
  database: Pick<Database, "query">,
  audit: Pick<Client<typeof AppendService>, "append">,
): Promise<number> {
  let delivered = 0;
  for (;;) {
    const batch = await database.query<Pending>(
      "select event_id, event from outbox order by created_at, event_id limit $1",
      [batchSize],
    );
    if (batch.length > 0) await deliverBatch(batch, database, audit);
    delivered += batch.length;
    if (batch.length < batchSize) return delivered;
  }
}

async function deliverBatch(
  batch: readonly Pending[],
  database: Pick<Database, "query">,
  audit: Pick<Client<typeof AppendService>, "append">,
): Promise<void> {
  const events = batch.map(({ event }) => fromBinary(EventSchema, event));
  const { results } = await audit.append(create(AppendRequestSchema, { events }));
  const committed = new Set(
    results.filter(({ status }) => status === AppendStatus.COMMITTED).map(({ eventId }) => eventId),
  );
  const taken = batch.map(({ event_id }) => event_id).filter((eventId) => committed.has(eventId));
  await database.query("delete from outbox where event_id = any($1::text[])", [taken]);
  const refused = batch.find(({ event_id }) => !committed.has(event_id));
  if (refused) throw new Error(`audit did not take event ${refused.event_id}`);
}
