import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { isForeground } from "./foreground.ts";
import { createRedactor } from "./redact.ts";
import { notFound, notStarted } from "./replace.ts";

const forwarded = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
const fromTerminal = new Set<string>(["SIGINT", "SIGQUIT"]);

// What a program leaves running in the background may keep its output open for ever, and may go on writing to it.
const lingerMs = 2_000;
// More than a pipe holds: what comes after it was not said before the program ended.
const lingerChunks = 64;

type Filter = readonly [from: Readable, redactor: Transform, to: Writable];

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
  const filters: readonly Filter[] = [
    [child.stdout, createRedactor(forms), process.stdout],
    [child.stderr, createRedactor(forms), process.stderr],
  ];
  const filtered = Promise.all(
    filters.map(([from, redactor, to]) => pipeline(from, redactor, to, { end: false })),
  ).catch(() => undefined); // Who reads our output has gone: the child hears of it by its own broken pipe.
  try {
    const code = await endOf(child, file).finally(stop);
    await Promise.race([filtered, drained(filters)]);
    return code;
  } finally {
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/**
 * Resolves when what a program had said at its end is passed on. A slow reader of our output holds up this whole process,
 * so that time alone says nothing; and what the program left running may say more for ever.
 */
async function drained(filters: readonly Filter[]): Promise<void> {
  const read = { chunks: 0 };
  for (const [from] of filters) from.on("data", () => (read.chunks += 1));
  do {
    await sleep(lingerMs, undefined, { ref: false });
    await turn(); // What came while the process was held up.
  } while (read.chunks < lingerChunks && isHeld(filters));
}

function isHeld(filters: readonly Filter[]): boolean {
  return filters.some(
    ([from, redactor, to]) =>
      from.readableLength + redactor.writableLength + redactor.readableLength + to.writableLength > 0,
  );
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
