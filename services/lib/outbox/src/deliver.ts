import { create, fromBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import {
  AppendRequestSchema,
  type AppendResult,
  type AppendService,
  AppendStatus,
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { failureOf } from "@sallyport/rpc";

type Append = Pick<Client<typeof AppendService>, "append">;

/** An event that audit never takes, and why. */
export type RefusedEvent = { readonly eventId: string; readonly action: string; readonly reason: string };

/** What became of the events that were pending. */
export type Delivery = {
  readonly acknowledged: ReadonlySet<string>;
  readonly refused: readonly RefusedEvent[];
};

// Small enough that the largest events fit into one message of 4 MiB.
const batchSize = 200;

type Pending = { readonly event_id: string; readonly event: Uint8Array };

/**
 * Delivers pending events, oldest first, until none is left that was there at the last look. One that audit refuses for
 * good is marked and passed over, so that it holds up nothing behind it. Throws what the database or the call throws, and
 * an Error when audit did not confirm an event: it then stays pending.
 */
export async function deliverPending(database: Pick<Database, "query">, audit: Append): Promise<Delivery> {
  const acknowledged = new Set<string>();
  const refused: RefusedEvent[] = [];
  for (;;) {
    const batch = await database.query<Pending>(
      `select event_id, event from outbox where refused_at is null
       order by created_at, event_id limit $1`,
      [batchSize],
    );
    const outcome = await deliverBatch(batch, audit);
    await forget(database, outcome.acknowledged);
    await setAside(database, outcome.refused);
    for (const eventId of outcome.acknowledged) acknowledged.add(eventId);
    refused.push(...outcome.refused);
    if (outcome.failure !== undefined) throw outcome.failure;
    if (batch.length < batchSize) return { acknowledged, refused };
  }
}

async function forget(database: Pick<Database, "query">, eventIds: readonly string[]): Promise<void> {
  if (eventIds.length === 0) return;
  await database.query("delete from outbox where event_id = any($1::text[])", [eventIds]);
}

async function setAside(database: Pick<Database, "query">, refused: readonly RefusedEvent[]): Promise<void> {
  for (const { eventId, reason } of refused)
    await database.query("update outbox set refused_at = now(), refused_reason = $2 where event_id = $1", [
      eventId,
      reason,
    ]);
}

type Outcome = {
  readonly acknowledged: readonly string[];
  readonly refused: readonly RefusedEvent[];
  /** Why the others stay pending. */
  readonly failure?: Error;
};

async function deliverBatch(batch: readonly Pending[], audit: Append): Promise<Outcome> {
  const decoded = batch.map(({ event_id, event }) => decode(event_id, event));
  const events = decoded.flatMap((one) => ("event" in one ? [one.event] : []));
  const malformed = decoded.flatMap((one) => ("event" in one ? [] : [one]));
  const { acknowledged, refused, ...rest } = await deliverEvents(events, audit);
  return { acknowledged, refused: [...malformed, ...refused], ...rest };
}

function decode(eventId: string, bytes: Uint8Array): { readonly event: Event } | RefusedEvent {
  try {
    return { event: fromBinary(EventSchema, bytes) };
  } catch {
    return { eventId, action: "", reason: "MALFORMED" };
  }
}

async function deliverEvents(events: readonly Event[], audit: Append): Promise<Outcome> {
  const [first, ...others] = events;
  if (first === undefined) return { acknowledged: [], refused: [] };
  try {
    const { results } = await audit.append(create(AppendRequestSchema, { events: [...events] }));
    return await settled(events, results, audit);
  } catch (error) {
    const failure = failureOf(error);
    const { reason } = failure;
    if (reason !== Reason.FIELD_INVALID && reason !== Reason.TOO_LARGE)
      return { acknowledged: [], refused: [], failure };
    // The call broke the contract by one event or more, and does not say by which: halves find them.
    if (others.length === 0) return { acknowledged: [], refused: [refusedBy(first, failure)] };
    const middle = Math.ceil(events.length / 2);
    return joined(
      await deliverEvents(events.slice(0, middle), audit),
      await deliverEvents(events.slice(middle), audit),
    );
  }
}

async function settled(
  events: readonly Event[],
  results: readonly AppendResult[],
  audit: Append,
): Promise<Outcome> {
  const byId = new Map(results.map((result) => [result.eventId, result]));
  const withStatus = (...statuses: readonly AppendStatus[]) =>
    events.filter(({ eventId }) => statuses.includes(byId.get(eventId)?.status ?? AppendStatus.UNSPECIFIED));
  const acknowledged = withStatus(AppendStatus.COMMITTED).map(({ eventId }) => eventId);
  const refused = withStatus(AppendStatus.REFUSED, AppendStatus.CONFLICT).map((event) =>
    refusedBy(event, byId.get(event.eventId)?.refusal),
  );
  const heldBack = withStatus(AppendStatus.HELD_BACK);
  const open = events.length - acknowledged.length - refused.length - heldBack.length;
  const unconfirmed = open > 0 || (heldBack.length > 0 && refused.length === 0);
  const failure = unconfirmed ? { failure: new Error("audit did not confirm an event") } : {};
  const outcome = { acknowledged, refused, ...failure };
  return unconfirmed ? outcome : joined(outcome, await deliverEvents(heldBack, audit));
}

function refusedBy(
  { eventId, action }: Event,
  refusal: { readonly reason: Reason; readonly metadata: Readonly<Record<string, string>> } | undefined,
): RefusedEvent {
  const reason = refusal ? enumName(ReasonSchema, refusal.reason) : "CONFLICT";
  const about = refusal ? Object.values(refusal.metadata) : [];
  return { eventId, action, reason: [reason, ...about].join(" ") };
}

function joined(one: Outcome, other: Outcome): Outcome {
  const failure = one.failure ?? other.failure;
  return {
    acknowledged: [...one.acknowledged, ...other.acknowledged],
    refused: [...one.refused, ...other.refused],
    ...(failure === undefined ? {} : { failure }),
  };
}
