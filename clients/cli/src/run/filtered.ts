import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import type { Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../app/failure.ts";
import { isForeground } from "./foreground.ts";
import { createRedactor } from "./redact.ts";
import { type OutputPipe, openOutputPipes } from "./output-pipe.ts";
import { startFailure } from "./replace.ts";

const forwarded = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
// A shell goes on with the next line of a script unless the program itself died by Ctrl-C. Those
// that dump core are left out: this process holds values.
const diedBy: ReadonlySet<string> = new Set(["SIGINT", "SIGTERM", "SIGHUP"]);
const fromTerminal = new Set<string>(["SIGINT", "SIGQUIT"]);

// A background process that a program leaves running may keep its output open forever, and may keep
// writing to it.
const lingerMs = 2_000;
// More than the buffer of a pipe: later output was not written before the program ended.
const lingerChunks = 64;

type Filter = readonly [from: Readable, redactor: Transform, to: Writable];

/**
 * Runs a program as a child whose output is filtered, and returns its exit code. A child that
 * SIGINT, SIGTERM or SIGHUP ended ends this process in the same way once the output is out; for
 * other signals the code is 128 and the signal's number. Signals are passed on. Throws
 * COMMAND_NOT_FOUND or COMMAND_NOT_STARTED.
 */
export async function runFiltered(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  forms: readonly Uint8Array[],
): Promise<number> {
  const [file = "", ...args] = command;
  const { child, outputs } = startChild(file, args, env);
  const stop = forwardSignals(child);
  const filters: readonly Filter[] = [
    [outputs[0], createRedactor(forms), process.stdout],
    [outputs[1], createRedactor(forms), process.stderr],
  ];
  let failed: string | undefined;
  const filtered = Promise.all(
    filters.map(([from, redactor, to]) => pipeline(from, redactor, to, { end: false })),
  ).catch((error: unknown) => void (failed ??= codeOf(error)));
  try {
    const { code, signal } = await endOf(child, file).finally(stop);
    await Promise.race([filtered, drained(filters)]);
    // A reader that went away is no failure: the child heard of it by its own broken pipe.
    if (failed !== undefined && failed !== "EPIPE" && code === 0)
      throw new CliError("OUTPUT_FAILED", `the output of ${file} cannot be written (${failed})`, {
        next: "make room, or send the output elsewhere",
      });
    if (signal === null) return code ?? 0;
    if (diedBy.has(signal)) process.kill(process.pid, signal);
    return 128 + constants.signals[signal];
  } finally {
    for (const output of outputs) output.destroy();
  }
}

/**
 * Resolves when what a program had said at its end is passed on. A slow reader of our output holds
 * up this whole process, so that time alone says nothing; and what the program left running may say
 * more for ever.
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
      from.readableLength + redactor.writableLength + redactor.readableLength + to.writableLength >
      0,
  );
}

type Started = { readonly child: ChildProcess; readonly outputs: readonly [Readable, Readable] };

function startChild(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Started {
  const [out, err] = openOutputPipes(2) as [OutputPipe, OutputPipe];
  try {
    const stdio = ["inherit", out.descriptor, err.descriptor] as const;
    return {
      child: spawn(file, args, { env, stdio: [...stdio] }),
      outputs: [out.output, err.output],
    };
  } catch (error) {
    // Immediate errors of the system, such as an environment that is too large.
    for (const { output } of [out, err]) output.destroy();
    throw failureOf(file, error);
  } finally {
    for (const pipe of [out, err]) pipe.handedOver();
  }
}

function failureOf(file: string, error: unknown): CliError {
  return startFailure(file, codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

function endOf(child: ChildProcess, file: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(failureOf(file, error)));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

// The child gets what is typed from the terminal itself: passed on, it would come twice.
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
