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

/**
 * A refusal by the server, or a client's own finding: a reply that cannot be trusted, a server out
 * of reach.
 */
export class SallyportError extends Error {
  override readonly name = "SallyportError";
  /** A PublicReason, a ClientReason, or what a newer server said. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** After how many milliseconds trying again makes sense, where the server said so. */
  readonly retryAfterMs: number | undefined;
  /**
   * Of a refusal: true when the process that owns the data signed it; false when it is the
   * gateway's word alone that a change was refused, which may have been made all the same.
   * Undefined for everything else.
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
