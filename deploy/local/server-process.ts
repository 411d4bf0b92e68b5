import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Account } from "./account.ts";
import { type StopStep, stopProcess } from "./process.ts";

/** A server program to run; isReady is asked every 10 ms until it answers true. */
export type ServerProgram = {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly account?: Account | undefined;
  readonly log: (line: string) => void;
  readonly stopSteps: readonly StopStep[];
  readonly isReady: (pid: number) => boolean | Promise<boolean>;
};

/** A running server; exited settles when it ends, asked or not; a second stop() is harmless; disposing stops it. */
export type ServerProcess = { readonly exited: Promise<void>; stop(): Promise<void> } & AsyncDisposable;

const startTimeoutMs = 60_000;

/** Runs the program and resolves when it is ready; throws, leaving nothing behind, when it ends before or in 60 s. */
export async function startServerProcess(options: ServerProgram): Promise<ServerProcess> {
  const child = launch(options);
  const exited = new Promise<void>((settle) => {
    child.once("exit", () => settle());
    child.once("error", () => settle());
  });
  const stop = async (): Promise<void> => {
    if (isAlive(child)) await stopProcess(child.pid, options.stopSteps);
    await exited;
  };
  if (await becomesReady(child, options)) return { exited, stop, [Symbol.asyncDispose]: stop };
  await stop();
  throw new Error(`${options.name} did not start; its log says why`);
}

/** A process group of its own: Ctrl-C must reach the supervisor alone, which stops its children in order. */
function launch({ program, args, account, log }: ServerProgram): ChildProcess {
  const env = { PATH: process.env["PATH"], LC_ALL: "C" };
  const child = spawn(program, args, {
    ...account,
    cwd: "/",
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => text.trimEnd().split("\n").forEach(log));
  }
  child.once("error", (error) => log(error.message));
  return child;
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
