import type { Call } from "./call.ts";

/** The callbacks of a stream: that it is over, or why it broke; `refuse` returns what to throw. */
export type StreamListener = {
  readonly done: () => void;
  readonly refuse: (error: unknown) => Error;
};

/**
 * Passes a handler's stream on, each step as part of the call. Ends it with the signal's reason
 * when the signal aborts, even where the handler does not listen.
 */
export async function* guardStream<T>(
  source: AsyncIterable<T>,
  call: Call,
  signal: AbortSignal,
  { done, refuse }: StreamListener,
): AsyncGenerator<T> {
  const steps = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await orAborted(
        call.run(() => steps.next()),
        signal,
      );
      if (step.done === true) return done();
      yield step.value;
    }
  } catch (error) {
    throw refuse(error);
  } finally {
    // Not awaited: behind a step that never ends, neither does return.
    void call.run(() => steps.return?.())?.catch(() => undefined);
    call.end();
  }
}

// Promise.race would keep a reaction on the signal's promise for every step of a stream that may
// live for weeks.
function orAborted<T>(step: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void =>
      reject(signal.reason instanceof Error ? signal.reason : new Error("the stream was stopped"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    step.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
