import { toSallyportError } from "./errors.ts";
import type { SallyportError } from "./sallyport-error.ts";

/** Deadline of the retries, and the callback before each wait. */
export type RetryOptions = {
  /** The deadline, on the monotonic clock of performance.now(). */
  readonly untilMs: number;
  /** Called before each wait with its cause and its length in milliseconds. */
  readonly onWait?: (error: SallyportError, delayMs: number) => void;
};

const passing = new Set(["RATE_LIMITED", "DEPENDENCY_UNAVAILABLE"]);
const passingCauses = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "TIMEOUT",
  "CLOSED",
  // A name server, a route or a balancer in front of the gateway that is temporarily unavailable.
  "EAI_AGAIN",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "UNAVAILABLE",
]);
const firstDelayMs = 200;
const maxDelayMs = 5_000;

/**
 * Repeats an idempotent action until it succeeds or `untilMs` is near. Waits for the server's retry
 * delay, else with exponential backoff from 200 ms, with jitter of up to a fifth, so that many
 * clients do not retry at once. Only transient errors are retried: a limit, a dependency or a
 * gateway out of reach, and any error with a retry delay. Every attempt has a new signature, since
 * the action makes its own requests. Throws the last SallyportError.
 */
export async function retrying<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await action();
    } catch (error) {
      const failure = toSallyportError(error);
      const delayMs = delayOf(failure, attempt);
      if (delayMs === undefined || performance.now() + delayMs >= options.untilMs) throw failure;
      options.onWait?.(failure, delayMs);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }
}

function delayOf(error: SallyportError, attempt: number): number | undefined {
  const spread = 1 + Math.random() / 5;
  if (error.retryAfterMs !== undefined) return Math.max(error.retryAfterMs, 1) * spread;
  const passes =
    passing.has(error.reason) ||
    (error.reason === "UNREACHABLE" && passingCauses.has(error.metadata["cause"] ?? ""));
  return passes ? Math.min(firstDelayMs * 2 ** attempt, maxDelayMs) * spread : undefined;
}
