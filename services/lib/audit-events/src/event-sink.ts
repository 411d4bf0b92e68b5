import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { Logger } from "@sallyport/telemetry";
import { type Append, appendEvents } from "./append.ts";

/**
 * Takes events that belong to no change. Resolves when nothing is left to be done for any of them;
 * rejects when that is unknown: giving the same events again is safe then.
 */
export type Sink = (events: readonly Event[]) => Promise<void>;

const batchSize = 200;

/**
 * Makes the sink of a process without a database: it appends to the log. What the log refuses for
 * good is logged.
 */
export function auditSink(audit: Append, logger: Pick<Logger, "error">): Sink {
  return async (events) => {
    for (let start = 0; start < events.length; start += batchSize) {
      const { refused, failure } = await appendEvents(
        audit,
        events.slice(start, start + batchSize),
      );
      for (const { eventId, action, reason } of refused)
        logger.error(
          { event_id: eventId, action, reason },
          "audit refused a record for good: it is lost",
        );
      if (failure) throw failure;
    }
  };
}
