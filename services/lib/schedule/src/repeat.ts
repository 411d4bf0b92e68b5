/**
 * Background work of a process: what runs again and again until the process stops.
 *
 * It exists so that there is one rule for retries. Runs of one task never overlap; a task that
 * fails is retried with an exponential backoff, jitter spreads replicas out, and a failure is
 * logged once and not at every retry. It must never keep a process alive, and a failure of a task
 * must never end its process.
 */
import type { Logger } from "@sallyport/telemetry";
import { type Backoff, backoffMs } from "./backoff.ts";

export { type Backoff, backoffMs } from "./backoff.ts";

/** The result of a run after which no other follows. */
export const done = Symbol("done");

/** A task and its times, in milliseconds. */
export type RepeatOptions = {
  /** The task; `signal` aborts when the process stops. */
  readonly run: (signal: AbortSignal) => Promise<typeof done | void>;
  /** The pause after a run that succeeded. */
  readonly everyMs: number;
  /** The pauses after runs that failed; as after a success unless given. */
  readonly backoff?: Backoff;
  /**
   * The part of a pause by which it may be longer or shorter, at random: 0 to 1, 0 unless given.
   */
  readonly jitter?: number;
  /** Has the first run wait for one pause; otherwise it begins at once. */
  readonly delayed?: boolean;
  /** The messages of the first failure and of the first success after it. */
  readonly log?: {
    readonly logger: Pick<Logger, "info" | "warn">;
    readonly failed: string;
    readonly recovered?: string;
  };
  /** A number from 0 to below 1; Math.random unless a test gives another. */
  readonly random?: () => number;
};

/**
 * Stops a task: no other run begins. Asynchronous disposal also waits for the run under way.
 */
export type Repeated = Disposable & AsyncDisposable;

/** Runs a task repeatedly, one run after the other, until it is disposed or returns `done`. */
export function repeat(options: RepeatOptions): Repeated {
  const { run, everyMs, jitter = 0, log, random = Math.random } = options;
  const backoff = options.backoff ?? { firstMs: everyMs, longestMs: everyMs };
  const stopped = new AbortController();
  const { signal } = stopped;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let running: Promise<void> = Promise.resolve();

  async function runOnce(): Promise<void> {
    try {
      const result = await run(signal);
      if (failures > 0 && log?.recovered) log.logger.info(log.recovered);
      failures = 0;
      if (result === done) return;
    } catch (error) {
      failures += 1;
      if (failures === 1 && !signal.aborted) log?.logger.warn({ err: error }, log.failed);
    }
    schedule(failures === 0 ? everyMs : backoffMs(failures, backoff));
  }

  function schedule(pauseMs: number): void {
    if (signal.aborted) return;
    const jittered = pauseMs * (1 + jitter * (2 * random() - 1));
    timer = setTimeout(() => void (running = runOnce()), jittered).unref();
  }

  function stop(): void {
    stopped.abort();
    clearTimeout(timer);
  }

  if (options.delayed) schedule(everyMs);
  else running = runOnce();
  return {
    [Symbol.dispose]: stop,
    async [Symbol.asyncDispose]() {
      stop();
      await running;
    },
  };
}
