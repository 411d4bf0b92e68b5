import { Code, ConnectError } from "@connectrpc/connect";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { ErrorInfoSchema, RetryInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import type { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

/** The reasons of sallyport.errors.v1 that a server may give, without their prefix. */
export type PublicReason = Exclude<
  keyof typeof Reason,
  "UNSPECIFIED" | "ALREADY_RECORDED" | "PEER_NOT_ALLOWED" | "EVIDENCE_INVALID"
>;

/** What a client finds out by itself. */
export type ClientReason =
  | "REPLY_UNTRUSTED"
  | "ROOT_CHANGED"
  | "UNREACHABLE"
  | "IDENTITY_MISSING"
  | "IDENTITY_INVALID";

/** A reason as a server gave it, which may be newer than this client. */
export type ToldReason = { readonly told: string };

/** A refusal by the server, or a client's own finding: a reply that cannot be trusted, a server out of reach. */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  /** A PublicReason, a ClientReason, or what a newer server said. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** After how many milliseconds trying again makes sense, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: PublicReason | ClientReason | ToldReason,
    message: string,
    details: {
      metadata?: Readonly<Record<string, string>>;
      retryAfterMs?: number;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: details.cause });
    this.reason = typeof reason === "string" ? reason : reason.told;
    this.metadata = details.metadata ?? {};
    this.retryAfterMs = details.retryAfterMs;
  }
}

const unreachableCodes = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Internal,
  Code.Unknown,
  Code.Canceled,
]);

/**
 * Turns what a Connect call threw into a SallyportError. A failure of the transport becomes UNREACHABLE, with the
 * system's own code for it, such as ECONNREFUSED, as metadata `cause`.
 */
export function toSallyportError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const connect = ConnectError.from(error);
  const [info] = connect.findDetails(ErrorInfoSchema).filter(({ domain }) => domain === "sallyport");
  if (!info) {
    if (!unreachableCodes.has(connect.code))
      return new SallyportError("INTERNAL", connect.rawMessage, { cause: error });
    const code = causeOf(connect);
    const metadata = code === undefined ? {} : { cause: code };
    return new SallyportError("UNREACHABLE", connect.rawMessage, { metadata, cause: error });
  }
  const [retry] = connect.findDetails(RetryInfoSchema);
  const retryAfter = retry?.retryDelay ? { retryAfterMs: durationMs(retry.retryDelay) } : {};
  return new SallyportError({ told: info.reason }, connect.rawMessage, {
    metadata: info.metadata,
    ...retryAfter,
    cause: error,
  });
}

function causeOf(error: ConnectError): string | undefined {
  if (error.code === Code.DeadlineExceeded) return "TIMEOUT";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return undefined;
}

/** The same function, whose failures are SallyportErrors. */
export function guarded<A extends unknown[], R>(run: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return (...args) =>
    run(...args).catch((error: unknown) => {
      throw toSallyportError(error);
    });
}
