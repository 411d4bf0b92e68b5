import type { Logger } from "@sallyport/telemetry";

/** A task that is run at once and then again and again; times in milliseconds. */
export type SweepOptions = {
  readonly what: string;
  readonly run: () => Promise<void>;
  /** How long after a run the next one begins. */
  readonly everyMs: number;
  /** How long after a failed one. */
  readonly retryMs: number;
  readonly logger: Pick<Logger, "info" | "warn">;
};

/** Begins to sweep. A failure is logged once and tried again. Disposing waits for a run under way and begins no other. */
export function startSweep({ what, run, everyMs, retryMs, logger }: SweepOptions): AsyncDisposable {
  let timer: NodeJS.Timeout | undefined;
  let disposed = false;
  let failing = false;
  let running = sweep();

  async function sweep(): Promise<void> {
    try {
      await run();
      if (failing) logger.info({ sweep: what }, "a sweep works again");
      failing = false;
    } catch (error) {
      if (!failing) logger.warn({ err: error, sweep: what }, "a sweep failed; it is tried again");
      failing = true;
    }
    if (disposed) return;
    timer = setTimeout(() => void (running = sweep()), failing ? retryMs : everyMs).unref();
  }

  return {
    async [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
