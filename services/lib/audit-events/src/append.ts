import type { Client } from "@connectrpc/connect";
import {
  type AppendResult,
  type AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { failureOf } from "@sallyport/rpc";

/** The one method of audit that takes events. */
export type Append = Pick<Client<typeof AppendService>, "append">;

/** An event that audit never takes, and why. */
export type RefusedEvent = {
  readonly eventId: string;
  readonly action: string;
  readonly reason: string;
};

/** The fate of events: those that are neither acknowledged nor refused are to be given again. */
export type Appended = {
  readonly acknowledged: readonly string[];
  readonly refused: readonly RefusedEvent[];
  /** Why some are to be given again. */
  readonly failure?: Error;
};

/**
 * Appends events in one call, and in more when some of them are refused permanently, so that
 * hold up no other. As many as fit into one message; never rejects.
 */
export async function appendEvents(audit: Append, events: readonly Event[]): Promise<Appended> {
  const [first, ...others] = events;
  if (first === undefined) return { acknowledged: [], refused: [] };
  try {
    const { results } = await audit.append({ events: [...events] });
    return await settled(audit, events, results);
  } catch (error) {
    const failure = failureOf(error);
    const { reason } = failure;
    // Any other failure says nothing about an event: audit is away, or we may not call it.
    if (reason !== Reason.FIELD_INVALID && reason !== Reason.TOO_LARGE)
      return { acknowledged: [], refused: [], failure };
    // The call broke the contract by one event or more, and does not say by which: halves find
    // them.
    if (others.length === 0) return { acknowledged: [], refused: [refusedBy(first, failure)] };
    const middle = Math.ceil(events.length / 2);
    return joined(
      await appendEvents(audit, events.slice(0, middle)),
      await appendEvents(audit, events.slice(middle)),
    );
  }
}

async function settled(
  audit: Append,
  events: readonly Event[],
  results: readonly AppendResult[],
): Promise<Appended> {
  const byId = new Map(results.map((result) => [result.eventId, result]));
  const withStatus = (...statuses: readonly AppendStatus[]) =>
    events.filter(({ eventId }) =>
      statuses.includes(byId.get(eventId)?.status ?? AppendStatus.UNSPECIFIED),
    );
  const acknowledged = withStatus(AppendStatus.COMMITTED).map(({ eventId }) => eventId);
  const refused = withStatus(AppendStatus.REFUSED, AppendStatus.CONFLICT).map((event) =>
    refusedBy(event, byId.get(event.eventId)?.refusal),
  );
  const heldBack = withStatus(AppendStatus.HELD_BACK);
  const open = events.length - acknowledged.length - refused.length - heldBack.length;
  if (open > 0 || (heldBack.length > 0 && refused.length === 0))
    return { acknowledged, refused, failure: new Error("audit did not confirm an event") };
  return joined({ acknowledged, refused }, await appendEvents(audit, heldBack));
}

function refusedBy(
  { eventId, action }: Event,
  refusal:
    | { readonly reason: Reason; readonly metadata: Readonly<Record<string, string>> }
    | undefined,
): RefusedEvent {
  const reason = refusal ? enumName(ReasonSchema, refusal.reason) : "CONFLICT";
  const about = refusal ? Object.values(refusal.metadata) : [];
  return { eventId, action, reason: [reason, ...about].join(" ") };
}

function joined(one: Appended, other: Appended): Appended {
  const failure = one.failure ?? other.failure;
  return {
    acknowledged: [...one.acknowledged, ...other.acknowledged],
    refused: [...one.refused, ...other.refused],
    ...(failure === undefined ? {} : { failure }),
  };
}
