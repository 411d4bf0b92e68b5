import { ConnectError, type Interceptor, type StreamRequest, type UnaryRequest } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Logger } from "@sallyport/telemetry";
import { beginCall, inCall } from "./call.ts";
import { type Failure, fail } from "./failure.ts";
import { createOutcomeLog } from "./outcome-log.ts";
import { callOptionsOf } from "./peer.ts";
import { guardStream } from "./stream.ts";
import { failureOf, toConnectError } from "./translate.ts";

type Next = Parameters<Interceptor>[0];
type Response = Awaited<ReturnType<Next>>;

/**
 * Makes the outermost interceptor. It runs the handler as part of the call, so that what the handler calls inherits
 * request id and deadline; logs the outcome once; and lets nothing out but failures: whatever else is thrown becomes one
 * fixed sentence with the request id. Streams end when `draining` aborts.
 */
export function createBoundary(logger: Logger, draining: AbortSignal): Interceptor {
  return (next) => async (request) => {
    const { requestId } = callOptionsOf({ values: request.contextValues });
    const log = createOutcomeLog(logger, request, requestId);
    const refuse = (error: unknown): ConnectError => {
      const failure = ownFailure(error);
      log(failure);
      return toConnectError(failure, requestId);
    };
    try {
      if (request.stream) return await stream(request, next, draining, { log, refuse });
      const response = await unary(request, next);
      log();
      return response;
    } catch (error) {
      throw refuse(error);
    }
  };
}

function unary(request: UnaryRequest, next: Next): Promise<Response> {
  return inCall(callOptionsOf({ values: request.contextValues }), () => next(request));
}

async function stream(
  request: StreamRequest,
  next: Next,
  draining: AbortSignal,
  { log, refuse }: { readonly log: () => void; readonly refuse: (error: unknown) => ConnectError },
): Promise<Response> {
  const call = beginCall(callOptionsOf({ values: request.contextValues }));
  const signal = AbortSignal.any([request.signal, draining]);
  const response = await call.run(() => next({ ...request, signal }));
  if (!response.stream) return response;
  return { ...response, message: guardStream(response.message, call, signal, { done: log, refuse }) };
}

// Security: an upstream's ConnectError that a handler let through holds text that was meant for us. It is told as our
// own fault, unless the upstream could not be reached: that is what our caller may know.
function ownFailure(error: unknown): Failure {
  if (!(error instanceof ConnectError)) return failureOf(error);
  const upstream = failureOf(error);
  const unreachable = upstream.reason === Reason.DEPENDENCY_UNAVAILABLE;
  return fail(unreachable ? Reason.DEPENDENCY_UNAVAILABLE : Reason.INTERNAL, {}, error);
}
