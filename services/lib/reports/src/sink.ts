import type { Client } from "@connectrpc/connect";
import {
  type AppendResult,
  type AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { Logger } from "@sallyport/telemetry";

/**
 * Takes events that belong to no change. Resolves when nothing is left to be done for any of them; rejects when that is
 * unknown: giving the same events again is safe then.
 */
export type Sink = (events: readonly Event[]) => Promise<void>;

const batchSize = 200;

/** Makes the sink of a process without a database: it appends to the log. What the log refuses for good is logged. */
export function auditSink(
  audit: Pick<Client<typeof AppendService>, "append">,
  logger: Pick<Logger, "error">,
): Sink {
  async function append(events: readonly Event[]): Promise<void> {
    const { results } = await audit.append({ events: [...events] });
    const known = new Map(results.map((result) => [result.eventId, result]));
    const refused = events.filter(({ eventId }) => isRefused(known.get(eventId)));
    for (const { eventId, action } of refused)
      logger.error({ event_id: eventId, action }, "audit refused a record for good: it is lost");
    const rest = events.filter(
      ({ eventId }) =>
        known.get(eventId)?.status !== AppendStatus.COMMITTED && !isRefused(known.get(eventId)),
    );
    if (rest.length === 0) return;
    // What was held back by a refused one is taken without it; anything else was not confirmed.
    if (refused.length === 0) throw new Error("audit did not confirm an event");
    await append(rest);
  }

  return async (events) => {
    for (let start = 0; start < events.length; start += batchSize)
      await append(events.slice(start, start + batchSize));
  };
}

function isRefused(result: AppendResult | undefined): boolean {
  return result?.status === AppendStatus.REFUSED || result?.status === AppendStatus.CONFLICT;
}
