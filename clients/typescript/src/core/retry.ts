import { toSallyportError } from "./errors.ts";
import type { SallyportError } from "./sallyport-error.ts";

/** How long to go on trying, and who is told. */
export type RetryOptions = {
  /** When to stop, on the clock of performance.now(). */
  readonly untilMs: number;
  /** Told before each wait, of why and for how many milliseconds. */
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
  // A name server, a route or a balancer in front of the gateway that is not there for a moment.
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
 * Does something that may be done again, until it succeeds or `untilMs` is near. Waits as long as
 * the server said, else 200 ms and longer each time, and up to a fifth longer by chance, so that
 * many clients do not come back at once. Only what may pass is tried again: a limit, a dependency
 * or a gateway out of reach, and whatever came with a delay. Every attempt is signed again, since
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
