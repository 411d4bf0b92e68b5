import {
  Code,
  ConnectError,
  type Interceptor,
  type Transport,
  createRouterTransport,
} from "@connectrpc/connect";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { UniversalHandler, UniversalHandlerFn } from "@connectrpc/connect/protocol";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Peer, type Route, failureOf, peerValues, toConnectError } from "@sallyport/rpc";

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

/** A peer's way to routes without a network; errors cross it as they cross the real one. */
export function inMemory(routes: readonly Route[], peer: Peer = "gateway"): Transport {
  const boundary: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw toConnectError(failureOf(error), "req_00000000000000000000");
    }
  };
  return createRouterTransport(
    (router) => {
      for (const { register } of routes) register(router);
      router.handlers.splice(
        0,
        Infinity,
        ...router.handlers.map((handler) => calledBy(peer, handler)),
      );
    },
    { router: { interceptors: [boundary] } },
  );
}

function calledBy(peer: Peer, handler: UniversalHandler): UniversalHandler {
  const called: UniversalHandlerFn = (request) =>
    handler({ ...request, contextValues: peerValues(peer) });
  return Object.assign(called, handler);
}
