import { SallyportError } from "@sallyport/client/error";
import { type Advice, type CliReason, adviceOf } from "./advice.ts";

/**
 * An error that the command line itself finds; `next` overrides the advice of its reason.
 */
export class CliError extends Error {
  override readonly name: string = "CliError";
  readonly reason: CliReason;
  readonly next: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    reason: CliReason,
    message: string,
    details: { next?: string; metadata?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.reason = reason;
    this.next = details.next;
    this.metadata = details.metadata ?? {};
  }
}

/** A mistake in a command line; exit code 2. */
export class UsageError extends CliError {
  override readonly name = "UsageError";

  constructor(message: string, next?: string) {
    super("USAGE", message, next === undefined ? {} : { next });
  }
}

/** An error as it is shown: what was wrong, what to do next, and the exit code. */
export type Explanation = {
  readonly reason: string;
  readonly message: string;
  readonly next: string;
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * True if its owner signed a refusal; false when only the gateway says that a change was refused,
   * else null.
   */
  readonly vouched: boolean | null;
  readonly exitCode: number;
};

const unvouched = "only the gateway says that nothing was changed: look before you rely on it";

/** Explains whatever was thrown. */
export function explain(error: unknown): Explanation {
  if (error instanceof SallyportError) {
    const { metadata } = error;
    const advice = adviceOf(error.reason);
    const wait: Record<string, string> =
      error.retryAfterMs === undefined
        ? {}
        : { retry_after_ms: String(Math.ceil(error.retryAfterMs)) };
    // A refusal of the server brings a cause; what a client found out says it in its own words.
    const message = (error.cause !== undefined && advice.what?.(metadata)) || error.message;
    const explained = shown(error.reason, message, advice, metadata);
    const next = error.vouched === false ? `${explained.next}; ${unvouched}` : explained.next;
    const vouched = error.vouched ?? null;
    return { ...explained, next, vouched, metadata: { ...metadata, ...wait } };
  }
  if (error instanceof CliError) {
    const explained = shown(error.reason, error.message, adviceOf(error.reason), error.metadata);
    return error.next === undefined ? explained : { ...explained, next: error.next };
  }
  const message = error instanceof Error ? error.message : String(error);
  // Malformed input, such as a token; detected by its name, since its class would load all of
  // signing.
  if (error instanceof Error && error.name === "FormatError")
    return shown("USAGE", message, adviceOf("USAGE"), {});
  if (error instanceof Error && error.name === "KeysetError")
    return shown("KEYSET_UNFIT", message, adviceOf("KEYSET_UNFIT"), {});
  return shown("UNEXPECTED", message, adviceOf("UNEXPECTED"), {});
}

function shown(
  reason: string,
  message: string,
  { next, exitCode }: Advice,
  metadata: Readonly<Record<string, string>>,
): Explanation {
  return { reason, message, next: next(metadata), metadata, vouched: null, exitCode };
}

/** The two lines that people read of an error. */
export function explanationLines({
  reason,
  message,
  next,
  metadata,
}: Explanation): [string, string] {
  // Metadata that the message contains already is not repeated.
  const untold = Object.entries(metadata).filter(([, value]) => !message.includes(value));
  const details = untold.map(([key, value]) => `${key} ${value}`);
  return [`sallyport: ${message} [${[reason, ...details].join(", ")}]`, `  → ${next}`];
}
