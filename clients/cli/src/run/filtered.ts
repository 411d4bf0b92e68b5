import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { pipeline } from "node:stream/promises";
import { isForeground } from "./foreground.ts";
import { createRedactor } from "./redact.ts";
import { notFound, notStarted } from "./replace.ts";

const forwarded = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const fromTerminal = new Set<string>(["SIGINT", "SIGQUIT"]);

// What a program leaves running in the background may keep its output open for ever.
const lingerMs = 2_000;

/**
 * Runs a program as a child whose output is filtered, and returns its exit code: 128 and the signal's number for one
 * that a signal ended. Signals are passed on. Throws COMMAND_NOT_FOUND or COMMAND_NOT_STARTED.
 */
export async function runFiltered(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  forms: readonly Uint8Array[],
): Promise<number> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env, stdio: ["inherit", "pipe", "pipe"] });
  const stop = forwardSignals(child);
  const filtered = Promise.all([
    pipeline(child.stdout, createRedactor(forms), process.stdout, { end: false }),
    pipeline(child.stderr, createRedactor(forms), process.stderr, { end: false }),
  ]).catch(() => undefined); // Who reads our output has gone: the child hears of it by its own broken pipe.
  try {
    const code = await endOf(child, file);
    const linger = new Promise((resolve) => setTimeout(resolve, lingerMs).unref());
    await Promise.race([filtered, linger]);
    return code;
  } finally {
    stop();
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function endOf(child: ChildProcess, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? notFound(file) : notStarted(file, error.code ?? error.message)),
    );
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

// A terminal has told the child itself of what was typed on it: passed on, it would come twice.
function forwardSignals(child: ChildProcess): () => void {
  const handlers = forwarded.map((signal) => {
    const handler = (): void => {
      if (!(fromTerminal.has(signal) && isForeground())) child.kill(signal);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
