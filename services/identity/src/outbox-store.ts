import type { Tx } from "@sallyport/postgres";

/** Leaves a serialised event for the running service to deliver. */
export async function storeEvent(tx: Tx, eventId: string, event: Uint8Array): Promise<void> {
  await tx.query("insert into outbox (event_id, event) values ($1, $2)", [eventId, event]);
}
