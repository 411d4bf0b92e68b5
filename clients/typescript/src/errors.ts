import { Code, ConnectError } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";

/**
 * A refusal by the server, or a reply that cannot be trusted. `reason` is one of sallyport.errors.v1.Reason without its
 * prefix; a client's own findings are REPLY_UNTRUSTED, ROOT_CHANGED and UNREACHABLE.
 */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: string,
    message: string,
    details: { metadata?: Record<string, string>; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.reason = reason;
    this.metadata = details.metadata ?? {};
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** Turns what a Connect call threw into a SallyportError; a transport failure becomes UNREACHABLE. */
export function toSallyportError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const connect = ConnectError.from(error);
  const [info] = connect.findDetails(ErrorInfoSchema).filter(({ domain }) => domain === "sallyport");
  if (!info) {
    const unreachable =
      connect.code === Code.Unavailable ||
      connect.code === Code.DeadlineExceeded ||
      connect.code === Code.Internal ||
      connect.code === Code.Unknown ||
      connect.code === Code.Canceled;
    return new SallyportError(unreachable ? "UNREACHABLE" : "INTERNAL", connect.rawMessage, { cause: error });
  }
  const [retry] = connect.findDetails(RetryInfoSchema);
  const retryAfter = retry?.retryDelay ? { retryAfterMs: durationMs(retry.retryDelay) } : {};
  return new SallyportError(info.reason, connect.rawMessage, {
    metadata: info.metadata,
    ...retryAfter,
    cause: error,
  });
}
