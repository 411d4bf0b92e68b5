import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "../host/account.ts";
import { type StopStep, stopProcess } from "../host/process.ts";
import { systemPath } from "../host/system-program.ts";

/** A server program to run; isReady is asked every 10 ms until it answers true. */
export type ServerProgram = {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly account?: Account | undefined;
  readonly log: (line: string) => void;
  readonly stopSteps: readonly StopStep[];
  readonly isReady: (pid: number) => boolean | Promise<boolean>;
  /** Given, a server that ends by itself is started again, and this is told why it ended. */
  readonly onRestart?: ((sentence: string) => void) | undefined;
};

/**
 * A running server. exited settles when it has ended, asked or not; where it is started again, when
 * it was stopped or did not come back in a minute. A second stop() is harmless; disposing stops it.
 */
export type ServerProcess = {
  readonly exited: Promise<void>;
  stop(): Promise<void>;
} & AsyncDisposable;

type Running = { readonly child: ChildProcess; readonly ended: Promise<string> };

const startTimeoutMs = 60_000;
const returnTimeoutMs = 60_000;
const restartMs = 500;

/**
 * Runs the program and resolves when it is ready; throws, leaving nothing behind, when it ends
 * before or in 60 s.
 */
export async function startServerProcess(options: ServerProgram): Promise<ServerProcess> {
  const stopping = new AbortController();
  let current = await launchReady(options, stopping.signal);
  const keep = async (): Promise<void> => {
    for (;;) {
      const sentence = await current.ended;
      if (stopping.signal.aborted || options.onRestart === undefined) return;
      options.onRestart(sentence);
      const next = await launchAgain(options, stopping.signal);
      if (next === undefined) return;
      current = next;
      if (stopping.signal.aborted) return end(next, options);
    }
  };
  const exited = keep();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await end(current, options);
    await exited;
  };
  return { exited, stop, [Symbol.asyncDispose]: stop };
}

async function launchReady(options: ServerProgram, stopping: AbortSignal): Promise<Running> {
  const running = launch(options);
  if (await becomesReady(running.child, options, stopping)) return running;
  await end(running, options);
  throw new Error(`${options.name} did not start; its log says why`);
}

// What a killed server leaves behind, such as its own children, may need a moment to go.
async function launchAgain(
  options: ServerProgram,
  stopping: AbortSignal,
): Promise<Running | undefined> {
  const deadline = performance.now() + returnTimeoutMs;
  while (!stopping.aborted && performance.now() < deadline) {
    await sleep(restartMs);
    const running = await launchReady(options, stopping).catch(() => undefined);
    if (running !== undefined) return running;
  }
  return undefined;
}

async function end({ child, ended }: Running, { stopSteps }: ServerProgram): Promise<void> {
  if (isAlive(child)) await stopProcess(child.pid, stopSteps);
  await ended;
}

/**
 * A process group of its own: Ctrl-C must reach the supervisor alone, which stops its children in
 * order.
 */
function launch({ program, args, account, log }: ServerProgram): Running {
  const env = { PATH: systemPath, LC_ALL: "C" };
  const child = spawn(program, args, {
    ...account,
    cwd: "/",
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream
      .setEncoding("utf8")
      .on("data", (text: string) => text.trimEnd().split("\n").forEach(log));
  }
  const ended = new Promise<string>((settle) => {
    child.once("exit", (code, signal) =>
      settle(signal ? `it was ended by ${signal}` : `it exited with ${code}`),
    );
    child.once("error", (error) => settle(error.message));
  });
  child.once("error", (error) => log(error.message));
  return { child, ended };
}

function isAlive(child: ChildProcess): child is ChildProcess & { pid: number } {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function becomesReady(
  child: ChildProcess,
  { isReady }: ServerProgram,
  stopping: AbortSignal,
): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline && isAlive(child) && !stopping.aborted) {
    if (await isReady(child.pid)) return true;
    await sleep(10);
  }
  return false;
}
