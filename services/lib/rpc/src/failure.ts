import { create } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { publicNextStep } from "@sallyport/proto/errors";
import {
  Reason,
  type Refusal,
  RefusalSchema,
} from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

/**
 * A refusal on its way out. Reason, metadata and retry delay (milliseconds) may be sent to the
 * caller; the cause is for the log only.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;

  constructor(
    reason: Reason,
    details: {
      readonly metadata?: Readonly<Record<string, string>>;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(sentenceOf(reason), details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.metadata = { ...details.metadata };
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }
}

/**
 * Makes a Failure to throw. Metadata holds only what the caller may see: proto/README.md lists the
 * keys by reason.
 */
export function fail(
  reason: Reason,
  metadata?: Readonly<Record<string, string>>,
  cause?: unknown,
): Failure {
  const retryAfterMs = reason === Reason.DEPENDENCY_UNAVAILABLE ? unavailableRetryMs : undefined;
  return new Failure(reason, { metadata: metadata ?? {}, retryAfterMs, cause });
}

/**
 * Returns the Connect code that goes with a reason; one unknown here is internal. See
 * proto/README.md, "Errors".
 */
export function codeOf(reason: Reason): Code {
  return table.get(reason)?.code ?? Code.Internal;
}

/**
 * Returns the name of a reason as ErrorInfo carries it: without REASON_; an unknown one is
 * "INTERNAL".
 */
export function nameOf(reason: Reason): string {
  return table.get(reason)?.name ?? "INTERNAL";
}

/** Returns the reason of that name, or undefined. */
export function reasonOf(name: string): Reason | undefined {
  return reasons.get(name);
}

/** Returns the one fixed sentence that goes with a reason. */
export function sentenceOf(reason: Reason): string {
  return nameOf(reason).toLowerCase().replaceAll("_", " ");
}

/** The public half of a failure. */
export type Refused = Pick<Failure, "reason" | "metadata" | "retryAfterMs">;

/**
 * Returns the failure as data, for replies that carry a verdict per item or per forwarded request,
 * with the next step that goes with its reason.
 */
export function toRefusal({ reason, metadata, retryAfterMs }: Refused): Refusal {
  return create(RefusalSchema, {
    reason,
    metadata: { ...metadata },
    nextStep: publicNextStep(reason),
    ...(retryAfterMs === undefined ? {} : { retryAfter: durationFromMs(retryAfterMs) }),
  });
}

/** Returns the failure that a refusal states; one without a known reason is INTERNAL. */
export function fromRefusal({ reason, metadata, retryAfter }: Refusal): Failure {
  if (!table.has(reason))
    return fail(Reason.INTERNAL, {}, new Error(`refusal without a known reason: ${reason}`));
  return new Failure(reason, { metadata, retryAfterMs: retryAfter && durationMs(retryAfter) });
}

const unavailableRetryMs = 1_000;

const codes: Readonly<Record<Exclude<keyof typeof Reason, "UNSPECIFIED">, Code>> = {
  REQUEST_REJECTED: Code.Unauthenticated,
  CLOCK_SKEW: Code.Unauthenticated,
  MACHINE_EXPIRED: Code.Unauthenticated,
  MACHINE_DISABLED: Code.Unauthenticated,
  ROLE_REQUIRED: Code.PermissionDenied,
  PROJECT_ROLE_REQUIRED: Code.PermissionDenied,
  NOT_GRANTED: Code.PermissionDenied,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  FIELD_INVALID: Code.InvalidArgument,
  NAME_DANGEROUS: Code.InvalidArgument,
  TOO_LARGE: Code.InvalidArgument,
  VERSION_CONFLICT: Code.FailedPrecondition,
  TOKEN_EXPIRED: Code.FailedPrecondition,
  TOKEN_EXHAUSTED: Code.FailedPrecondition,
  TOKEN_REVOKED: Code.FailedPrecondition,
  RATE_LIMITED: Code.ResourceExhausted,
  DEPENDENCY_UNAVAILABLE: Code.Unavailable,
  INTERNAL: Code.Internal,
  ALREADY_RECORDED: Code.AlreadyExists,
  PEER_NOT_ALLOWED: Code.PermissionDenied,
  EVIDENCE_INVALID: Code.Unauthenticated,
  TOKEN_SOURCE_REFUSED: Code.PermissionDenied,
  TOKEN_HOSTNAME_REFUSED: Code.PermissionDenied,
  TOKEN_NAME_REFUSED: Code.PermissionDenied,
  MACHINE_CAP_REACHED: Code.ResourceExhausted,
  LAST_OWNER: Code.FailedPrecondition,
  PROJECT_NOT_EMPTY: Code.FailedPrecondition,
  SEALING_REQUIRED: Code.FailedPrecondition,
};

const reasons: ReadonlyMap<string, Reason> = new Map(
  Object.entries(Reason).filter(([, reason]) => reason !== Reason.UNSPECIFIED),
);

const table: ReadonlyMap<Reason, { readonly name: string; readonly code: Code }> = new Map(
  Object.entries(codes).flatMap(([name, code]) => {
    const reason = reasons.get(name);
    return reason === undefined ? [] : [[reason, { name, code }] as const];
  }),
);
