const ending = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/**
 * While a prompt has taken the terminal's echo away, a signal that ends this program gives it back
 * first: the shell behind it would be left blind.
 */
export function restoredTerminal(): Disposable {
  const handler = (signal: NodeJS.Signals): void => {
    stop();
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal itself is gone.
    }
    process.kill(process.pid, signal);
  };
  const stop = (): void => {
    for (const signal of ending) process.off(signal, handler);
  };
  for (const signal of ending) process.on(signal, handler);
  return { [Symbol.dispose]: stop };
}
