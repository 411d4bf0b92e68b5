import type { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

/** The reasons of sallyport.errors.v1 that a server may give, without their prefix. */
export type PublicReason = Exclude<
  keyof typeof Reason,
  "UNSPECIFIED" | "ALREADY_RECORDED" | "PEER_NOT_ALLOWED" | "EVIDENCE_INVALID"
>;

/** The reasons of errors that a client detects. */
export type ClientReason =
  | "REPLY_UNTRUSTED"
  | "ROOT_CHANGED"
  | "UNREACHABLE"
  | "IDENTITY_MISSING"
  | "IDENTITY_INVALID";

/** A reason from a server, which may be newer than this client. */
export type ToldReason = { readonly told: string };

/**
 * A refusal by the server, or an error that the client detected: a reply that cannot be trusted, a
 * server out of reach.
 */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  /** A PublicReason, a ClientReason, or a reason of a newer server. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The server's retry delay in milliseconds, where it sent one. */
  readonly retryAfterMs: number | undefined;
  /**
   * For a refusal: true when the process that owns the data signed it; false when only the gateway
   * reports that a change was refused, which may have been made nevertheless. Undefined for
   * everything else.
   */
  readonly vouched: boolean | undefined;

  constructor(
    reason: PublicReason | ClientReason | ToldReason,
    message: string,
    details: {
      metadata?: Readonly<Record<string, string>>;
      retryAfterMs?: number;
      vouched?: boolean | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: details.cause });
    this.reason = typeof reason === "string" ? reason : reason.told;
    this.metadata = details.metadata ?? {};
    this.retryAfterMs = details.retryAfterMs;
    this.vouched = details.vouched;
  }
}
