import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure, codeOf, fail, nameOf, reasonOf, sentenceOf } from "./failure.ts";

const domain = "sallyport";

/**
 * Turns a failure into what goes over the wire: its code, a fixed sentence, ErrorInfo and
 * RetryInfo, never its cause. INTERNAL carries the request id and no other metadata.
 */
export function toConnectError(failure: Failure, requestId: string): ConnectError {
  const internal = codeOf(failure.reason) === Code.Internal;
  const info = create(ErrorInfoSchema, {
    domain,
    reason: nameOf(failure.reason),
    metadata: internal ? { request_id: requestId } : { ...failure.metadata },
  });
  const sentence = internal ? `internal error: report ${requestId}` : sentenceOf(failure.reason);
  const error = new ConnectError(sentence, codeOf(failure.reason), undefined, [
    { desc: ErrorInfoSchema, value: info },
  ]);
  if (failure.retryAfterMs !== undefined) {
    const value = create(RetryInfoSchema, { retryDelay: durationFromMs(failure.retryAfterMs) });
    error.details.push({ desc: RetryInfoSchema, value });
  }
  return error;
}

// An error that arrives with one of these codes and without our ErrorInfo did not come from a
// handler of ours: our error boundary always says why. The connection, a proxy or the deadline
// ended the call.
const transportCodes: ReadonlySet<Code> = new Set([
  Code.Aborted,
  Code.Canceled,
  Code.DeadlineExceeded,
  Code.Internal,
  Code.Unavailable,
  Code.Unknown,
]);

/**
 * Returns the failure behind whatever a call threw: a Failure as it is, the reason that an upstream
 * gave, else DEPENDENCY_UNAVAILABLE for what ended in transport or by deadline, else INTERNAL with
 * the error as its cause. An upstream's PEER_NOT_ALLOWED is our own misconfiguration, so INTERNAL
 * too.
 */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof ConnectError)) return fail(Reason.INTERNAL, {}, error);
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === domain);
  if (!info)
    return fail(
      transportCodes.has(error.code) ? Reason.DEPENDENCY_UNAVAILABLE : Reason.INTERNAL,
      {},
      error,
    );
  const reason = reasonOf(info.reason) ?? Reason.INTERNAL;
  if (reason === Reason.PEER_NOT_ALLOWED) return fail(Reason.INTERNAL, {}, error);
  const retryDelay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return new Failure(reason, {
    metadata: info.metadata,
    retryAfterMs: retryDelay && durationMs(retryDelay),
    cause: error,
  });
}
