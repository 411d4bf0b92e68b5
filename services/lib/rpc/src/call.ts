import { AsyncLocalStorage } from "node:async_hooks";

/** The default deadline of a call, in milliseconds. */
export const defaultTimeoutMs = 5_000;

/** The header in which the request id travels between our processes. */
export const requestIdHeader = "sallyport-request-id";

/** The header that carries how long the caller waits, in milliseconds; Connect's own. */
export const timeoutHeader = "connect-timeout-ms";

/**
 * The context that a call passes on to the calls made meanwhile: its id, and the time it has, in
 * milliseconds from its begin.
 */
export type CallOptions = { readonly requestId: string; readonly timeoutMs?: number | undefined };

/** A request being served: `run` runs work with its deadline, which ends at `end`. */
export type Call = { run<T>(step: () => T): T; end(): void };

type State = {
  readonly requestId: string;
  readonly deadlineMs: number | undefined;
  ended: boolean;
};

const states = new AsyncLocalStorage<State>();

/** Begins a call; one without a timeout, a stream, has no deadline. */
export function beginCall({ requestId, timeoutMs }: CallOptions): Call {
  const deadlineMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const state: State = { requestId, deadlineMs, ended: false };
  return {
    run: (step) => states.run(state, step),
    // A timer set during the call inherits its state; were the deadline to stay, it could never
    // call anyone again.
    end: () => void (state.ended = true),
  };
}

/**
 * Runs code as part of a request: every call to a peer in it carries the request id and ends by the
 * deadline, 5 seconds from now unless given.
 */
export async function inCall<T>(options: CallOptions, run: () => Promise<T>): Promise<T> {
  const call = beginCall({ ...options, timeoutMs: options.timeoutMs ?? defaultTimeoutMs });
  try {
    return await call.run(run);
  } finally {
    call.end();
  }
}

/** Returns the request id of the running call, if there is one. */
export function currentRequestId(): string | undefined {
  return states.getStore()?.requestId;
}

/**
 * Returns the milliseconds that the running call has left; undefined without a deadline, never
 * below zero.
 */
export function remainingMs(): number | undefined {
  const state = states.getStore();
  if (state?.deadlineMs === undefined || state.ended) return undefined;
  return Math.max(0, state.deadlineMs - performance.now());
}
