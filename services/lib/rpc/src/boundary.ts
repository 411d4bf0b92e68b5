import {
  ConnectError,
  type Interceptor,
  type StreamRequest,
  type UnaryRequest,
} from "@connectrpc/connect";
import { Health } from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Logger, type OpenSpan, inSpan, noSpan } from "@sallyport/telemetry";
import { beginCall, inCall } from "./call.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import { type Failure, fail } from "./failure.ts";
import { concludeServed, spansOf } from "./measure.ts";
import { createOutcomeLog } from "./outcome-log.ts";
import { callOptionsOf } from "./peer.ts";
import { guardStream } from "./stream.ts";
import { failureOf, toConnectError } from "./translate.ts";

type Next = Parameters<Interceptor>[0];
type Response = Awaited<ReturnType<Next>>;

const spanOf = spansOf("server");

/**
 * Makes the outermost interceptor. It runs the handler as part of the call and of its trace, so
 * that what the handler calls inherits request id and deadline; logs and measures the outcome once;
 * and lets nothing out but failures: whatever else is thrown becomes one fixed sentence with the
 * request id. Streams end when `draining` aborts.
 */
export function createBoundary(logger: Logger, draining: AbortSignal): Interceptor {
  return (next) => (request) => {
    const { requestId } = callOptionsOf({ values: request.contextValues });
    const serve = (span: OpenSpan) => {
      span.set({ "sallyport.request_id": requestId });
      return answer(request, next, draining, conclusion(logger, request, requestId, span));
    };
    // A stream lives for weeks, and health is asked for all the time: neither is worth a trace.
    if (request.stream || request.service.typeName === Health.typeName) return serve(noSpan);
    return inSpan(spanOf(methodPath(request.method)), serve);
  };
}

/** Tells of the outcome of a call, once; `refuse` returns what to throw. */
type Conclusion = { readonly done: () => void; readonly refuse: (error: unknown) => ConnectError };

function conclusion(
  logger: Logger,
  request: StreamRequest | UnaryRequest,
  requestId: string,
  span: OpenSpan,
): Conclusion {
  const begunMs = performance.now();
  const log = createOutcomeLog(logger, request, requestId);
  const conclude = (failure?: Failure): void => {
    log(failure);
    concludeServed(span, methodPath(request.method), begunMs, failure);
  };
  return {
    done: () => conclude(),
    refuse(error) {
      const failure = ownFailure(error);
      conclude(failure);
      return toConnectError(failure, requestId);
    },
  };
}

async function answer(
  request: StreamRequest | UnaryRequest,
  next: Next,
  draining: AbortSignal,
  conclusion: Conclusion,
): Promise<Response> {
  try {
    if (request.stream) return await stream(request, next, draining, conclusion);
    const response = await unary(request, next);
    conclusion.done();
    return response;
  } catch (error) {
    throw conclusion.refuse(error);
  }
}

function unary(request: UnaryRequest, next: Next): Promise<Response> {
  return inCall(callOptionsOf({ values: request.contextValues }), () => next(request));
}

async function stream(
  request: StreamRequest,
  next: Next,
  draining: AbortSignal,
  conclusion: Conclusion,
): Promise<Response> {
  const call = beginCall(callOptionsOf({ values: request.contextValues }));
  const signal = AbortSignal.any([request.signal, draining]);
  const response = await call.run(() => next({ ...request, signal }));
  if (!response.stream) return response;
  return { ...response, message: guardStream(response.message, call, signal, conclusion) };
}

// Security: an upstream's ConnectError that a handler let through holds text that was meant for us.
// It is reported as our own fault, unless the upstream could not be reached: that is what our
// caller may know.
function ownFailure(error: unknown): Failure {
  if (!(error instanceof ConnectError)) return failureOf(error);
  const upstream = failureOf(error);
  const unreachable = upstream.reason === Reason.DEPENDENCY_UNAVAILABLE;
  return fail(unreachable ? Reason.DEPENDENCY_UNAVAILABLE : Reason.INTERNAL, {}, error);
}
