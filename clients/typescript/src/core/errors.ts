import { Code, ConnectError } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { transportSentence } from "./transport-sentences.ts";
import { SallyportError } from "./sallyport-error.ts";

export { SallyportError };

const vouched = new WeakMap<ConnectError, boolean>();

/**
 * Stores whether an owner signed a refusal, or only the gateway reports that a change was refused.
 */
export function noteVouched(refusal: ConnectError, holds: boolean): void {
  vouched.set(refusal, holds);
}

/**
 * Converts the error of a Connect call to a SallyportError. A failure of the transport becomes
 * UNREACHABLE, with the system's own code for it, such as ECONNREFUSED, as metadata `cause`; the
 * cause is TIMEOUT where no answer arrived in time, CLOSED where the connection was closed during
 * the request, UNAVAILABLE where an intermediary in front of the gateway answered with HTTP 429,
 * 502, 503 or 504, and NOT_A_GATEWAY for every other answer that is not a gateway's.
 */
export function toSallyportError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const connect = ConnectError.from(error);
  if (connect.cause instanceof SallyportError) return connect.cause;
  const [info] = connect
    .findDetails(ErrorInfoSchema)
    .filter(({ domain }) => domain === "sallyport");
  if (!info) {
    const code = causeOf(connect);
    const metadata = code === undefined ? {} : { cause: code };
    return new SallyportError("UNREACHABLE", sentenceOf(connect, code), { metadata, cause: error });
  }
  const [retry] = connect.findDetails(RetryInfoSchema);
  const retryAfter = retry?.retryDelay ? { retryAfterMs: durationMs(retry.retryDelay) } : {};
  return new SallyportError({ told: info.reason }, connect.rawMessage, {
    metadata: info.metadata,
    ...retryAfter,
    vouched: vouched.get(connect),
    cause: error,
  });
}

// The transport's messages for it have no code.
const closedConnection = /^http\/2 stream closed with error code CANCEL|^PING timed out/;

function causeOf(error: ConnectError): string | undefined {
  if (error.code === Code.DeadlineExceeded) return "TIMEOUT";
  if (closedConnection.test(error.rawMessage)) return "CLOSED";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  if (error.code === Code.Unavailable) return "UNAVAILABLE";
  // Every refusal of a gateway has details, and a failure of the connection has a code.
  return error.code === Code.Canceled || error.cause !== undefined ? undefined : "NOT_A_GATEWAY";
}

function sentenceOf(error: ConnectError, code: string | undefined): string {
  const { rawMessage: message } = error;
  return code === undefined ? message : transportSentence(code, message, error);
}

/** Returns the same function, whose errors are SallyportErrors. */
export function guarded<A extends unknown[], R>(
  run: (...args: A) => Promise<R>,
): (...args: A) => Promise<R> {
  return (...args) =>
    run(...args).catch((error: unknown) => {
      throw toSallyportError(error);
    });
}
