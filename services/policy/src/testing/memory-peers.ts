import { Code, ConnectError, type Transport, createRouterTransport } from "@connectrpc/connect";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

/**
 * A log in memory that keeps audit's contract; while it is down it takes nothing, while it is full
 * no denied reads.
 */
export type MemoryAudit = {
  readonly transport: Transport;
  readonly events: Event[];
  down: boolean;
  full: boolean;
};

/** Makes a log in memory. */
export function createMemoryAudit(): MemoryAudit {
  const events: Event[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(AppendService, {
      append(request) {
        if (audit.down) throw new ConnectError("the log is away", Code.Unavailable);
        if (audit.full && request.events.some(({ action }) => action === "secret.read.denied"))
          return { results: request.events.map(limited) };
        const known = new Set(events.map(({ eventId }) => eventId));
        events.push(...request.events.filter(({ eventId }) => !known.has(eventId)));
        const results = request.events.map(({ eventId }) => ({
          eventId,
          status: AppendStatus.COMMITTED,
        }));
        return { results };
      },
    });
  });
  const audit: MemoryAudit = { transport, events, down: false, full: false };
  return audit;
}

/** How long a full log says that it takes nothing, in seconds. */
export const fullSeconds = 7n;

function limited({ eventId }: Event) {
  const refusal = { reason: Reason.RATE_LIMITED, retryAfter: { seconds: fullSeconds } };
  return { eventId, status: AppendStatus.LIMITED, refusal };
}
