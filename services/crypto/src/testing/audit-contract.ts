import { once } from "node:events";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Receipt } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { Append } from "../open/record.ts";

/**
 * What goes wrong with the next call: it never arrives, its answer is lost after the commit, it is
 * never confirmed, or its last event is refused, or its machine caused too many records, or it
 * takes for ever.
 */
export type Trouble = "away" | "lost answer" | "unconfirmed" | "refused" | "limited" | "stuck";

/** A log in memory, to be shared by replicas. */
export type AuditContract = {
  /** Has every event that is committed from now on proven by this receipt of its secret. */
  giveReceipts(receiptOf: (secretId: string) => Receipt): void;
  readonly audit: Append;
  readonly events: readonly Event[];
  /** How often Append was called, failed calls included. */
  calls(): number;
  /** Troubles of the next calls, in order; afterwards all is well. */
  trouble(...next: readonly Trouble[]): void;
};

/**
 * The part of audit's contract that crypto builds on, in memory and for tests only: an event id
 * counts once; a secret is read once for a decision and once for a request, and only the same
 * attempt is told "committed" again; the answer comes after the commit.
 */
export function createAuditContract(): AuditContract {
  const events: Event[] = [];
  const troubles: Trouble[] = [];
  let calls = 0;
  let receiptOf: ((secretId: string) => Receipt) | undefined;
  const place = (event: Event) => {
    const earlier = events.find(
      ({ eventId, decisionId, secretId, requestDigest }) =>
        eventId === event.eventId ||
        (secretId === event.secretId &&
          (decisionId === event.decisionId ||
            Buffer.compare(requestDigest, event.requestDigest) === 0)),
    );
    if (!earlier) events.push(event);
    const own = !earlier || Buffer.compare(earlier.attemptId, event.attemptId) === 0;
    const { eventId, secretId } = event;
    if (!own) return { eventId, status: AppendStatus.CONFLICT };
    const receipt = receiptOf?.(secretId);
    return { eventId, status: AppendStatus.COMMITTED, ...(receipt ? { receipt } : {}) };
  };
  const refuseLast = ({ eventId }: Event, index: number, { length }: readonly Event[]) => {
    return {
      eventId,
      status: index === length - 1 ? AppendStatus.REFUSED : AppendStatus.HELD_BACK,
    };
  };
  const limit = ({ eventId }: Event) => {
    const refusal = { reason: Reason.RATE_LIMITED, retryAfter: { seconds: 7n } };
    return { eventId, status: AppendStatus.LIMITED, refusal };
  };
  const transport = createRouterTransport(({ service }) => {
    service(AppendService, {
      async append(request, { signal }) {
        calls += 1;
        const trouble = troubles.shift();
        if (trouble === "away") throw new ConnectError("audit is away", Code.Unavailable);
        if (trouble === "unconfirmed") return { results: [] };
        if (trouble === "refused") return { results: request.events.map(refuseLast) };
        if (trouble === "limited") return { results: request.events.map(limit) };
        if (trouble === "stuck") await once(signal, "abort");
        const results = request.events.map(place);
        if (trouble === "lost answer")
          throw new ConnectError("the connection broke", Code.Unavailable);
        return { results };
      },
    });
  });
  return {
    audit: createClient(AppendService, transport),
    events,
    calls: () => calls,
    giveReceipts: (next) => void (receiptOf = next),
    trouble: (...next) => void troubles.push(...next),
  };
}
