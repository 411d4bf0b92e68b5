import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import {
  AppendService,
  AppendStatus,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, toConnectError, toRefusal } from "@sallyport/rpc";

/** What takes an outbox's events in a test, and what it did. */
export type TestLog = ReturnType<typeof createLog>;

/**
 * The contract of audit and no more: it takes each id once, in order, refuses some for good, or is
 * away.
 */
export function createLog() {
  const log = {
    taken: [] as string[],
    calls: 0,
    before: async (): Promise<void> => undefined,
    after: async (): Promise<void> => undefined,
    /** Ids that are refused with this status; one that breaks the contract fails its call. */
    refused: new Map<string, AppendStatus | "contract">(),
    client: createClient(
      AppendService,
      createRouterTransport(({ service }) => {
        service(AppendService, {
          async append({ events }) {
            log.calls += 1;
            await log.before();
            const ids = events.map(({ eventId }) => eventId);
            const broken = ids.findIndex((eventId) => log.refused.get(eventId) === "contract");
            if (broken >= 0) throw contractBroken(broken);
            const holds = ids.some((eventId) => log.refused.get(eventId) === AppendStatus.REFUSED);
            const results = ids.map((eventId) =>
              resultOf(eventId, log.refused.get(eventId), holds),
            );
            const committed = results.filter(({ status }) => status === AppendStatus.COMMITTED);
            log.taken.push(
              ...committed
                .map(({ eventId }) => eventId)
                .filter((eventId) => !log.taken.includes(eventId)),
            );
            await log.after();
            return { results: results.toReversed() };
          },
        });
      }),
    ),
  };
  return log;
}

function resultOf(eventId: string, refused: AppendStatus | "contract" | undefined, holds: boolean) {
  if (refused === undefined || refused === "contract")
    return { eventId, status: holds ? AppendStatus.HELD_BACK : AppendStatus.COMMITTED };
  const refusal = toRefusal(fail(Reason.FIELD_INVALID, { field: "source_ip" }));
  return { eventId, status: refused, ...(refused === AppendStatus.REFUSED ? { refusal } : {}) };
}

function contractBroken(index: number): ConnectError {
  const failure = fail(Reason.FIELD_INVALID, {
    field: `events[${index}].actor_id`,
    description: "is too long",
  });
  return toConnectError(failure, "req_00000000000000000000");
}

/** An audit that does not answer. */
export async function away(): Promise<void> {
  throw new ConnectError("away", Code.Unavailable);
}

/** An audit that answers. */
export async function present(): Promise<void> {}
