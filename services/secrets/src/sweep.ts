import type { Logger } from "@sallyport/telemetry";

/** A task that is run at once and then again and again; times in milliseconds. */
export type SweepOptions = {
  readonly what: string;
  readonly run: () => Promise<void>;
  /** How long after a run the next one begins. */
  readonly everyMs: number;
  /** How long after the first that fails; each further failure doubles it, up to everyMs. */
  readonly retryMs: number;
  readonly logger: Pick<Logger, "info" | "warn">;
};

/**
 * Begins to sweep. A failure is logged once and tried again. Disposing waits for a run under way
 * and begins no other.
 */
export function startSweep({ what, run, everyMs, retryMs, logger }: SweepOptions): AsyncDisposable {
  let timer: NodeJS.Timeout | undefined;
  let disposed = false;
  let failures = 0;
  let running = sweep();

  async function sweep(): Promise<void> {
    try {
      await run();
      if (failures > 0) logger.info({ sweep: what }, "a sweep works again");
      failures = 0;
    } catch (error) {
      if (failures === 0)
        logger.warn({ err: error, sweep: what }, "a sweep failed; it is tried again");
      failures += 1;
    }
    if (disposed) return;
    const delayMs = failures === 0 ? everyMs : Math.min(retryMs * 2 ** (failures - 1), everyMs);
    timer = setTimeout(() => void (running = sweep()), delayMs).unref();
  }

  return {
    async [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
