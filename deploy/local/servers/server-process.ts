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
  /** Called with the reason when the server ends without stop(). It is not restarted. */
  readonly onEnd?: ((sentence: string) => void) | undefined;
};

/** A running server. A second stop() is harmless; disposing stops it. */
export type ServerProcess = AsyncDisposable & {
  /** Starts a server that has ended again, on the same data; throws unless it becomes ready. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

type Running = { readonly child: ChildProcess; readonly ended: Promise<string> };

const startTimeoutMs = 60_000;

/**
 * Runs the program and resolves when it is ready; throws, leaving nothing behind, when it ends
 * before or in 60 s.
 */
export async function startServerProcess(options: ServerProgram): Promise<ServerProcess> {
  let current: Running | undefined;
  let isStopping = false;
  const start = async (): Promise<void> => {
    const running = launch(options);
    current = running;
    if (isStopping || !(await becomesReady(running.child, options))) {
      await end(running, options);
      throw new Error(`${options.name} did not start; its log says why`);
    }
    void running.ended.then((sentence) => {
      if (!isStopping) options.onEnd?.(sentence);
    });
  };
  const stop = async (): Promise<void> => {
    isStopping = true;
    if (current !== undefined) await end(current, options);
  };
  await start();
  return { start, stop, [Symbol.asyncDispose]: stop };
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

async function becomesReady(child: ChildProcess, { isReady }: ServerProgram): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline && isAlive(child)) {
    if (await isReady(child.pid)) return true;
    await sleep(10);
  }
  return false;
}
