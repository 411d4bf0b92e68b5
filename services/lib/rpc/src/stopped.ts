const signals = ["SIGTERM", "SIGINT"] as const;

/**
 * Resolves when the process is asked to stop: SIGTERM, SIGINT, or the end of the IPC channel, which
 * means that the supervisor died. A second signal then has its default effect, so that a stuck
 * drain can be cut short.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      for (const signal of signals) process.off(signal, stop);
      process.off("disconnect", stop);
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
    process.on("disconnect", stop);
  });
}
