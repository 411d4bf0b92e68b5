import { Code, ConnectError } from "@connectrpc/connect";

/** The wait of a caller: until its signal aborts, `waitMs` at most. */
export type Patience = { readonly signal: AbortSignal | undefined; readonly waitMs: number };

/**
 * Makes a call and waits for it no longer than its caller does, but does not cut it then: it goes
 * on until its peer answers, or until `callMs` have passed. Rejects with DeadlineExceeded or
 * Canceled when the caller stops to wait.
 *
 * Security: a call that is cut in the midst of its content costs the session that all callers share
 * (`connection.ts`). Were a caller's deadline to cut, anyone who may set one could do that, as
 * often as they like.
 */
export function outlast<T>(
  call: (cut: AbortSignal) => Promise<T>,
  { signal, waitMs }: Patience,
  callMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(ConnectError.from(signal?.reason, Code.Canceled));
    if (signal?.aborted) return leave();
    const late = (): void =>
      reject(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    const waiting = setTimeout(late, waitMs);
    signal?.addEventListener("abort", leave, { once: true });
    const cut = new AbortController();
    const end = (): void => cut.abort(new ConnectError("the peer gave no answer", Code.Canceled));
    const running = setTimeout(end, callMs);
    call(cut.signal)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(waiting);
        clearTimeout(running);
        signal?.removeEventListener("abort", leave);
      });
  });
}
