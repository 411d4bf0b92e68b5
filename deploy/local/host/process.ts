import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { requireProgram } from "./system-program.ts";

/** A signal and how long to wait for its effect, in milliseconds. */
export type StopStep = { readonly signal: NodeJS.Signals; readonly waitMs: number };

/** Tells whether a process with this id exists; one that belongs to another user counts. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Returns the command line of a running process, or "" when there is none to see. */
export function commandLine(pid: number): string {
  return readProc(pid, "cmdline")?.replaceAll("\0", " ") ?? ps(pid, "command=");
}

/** Returns a text that differs between two processes that had the same id one after the other. */
export function startOf(pid: number): string {
  const boot = readBootId();
  const ticks = statFields(pid)?.[19];
  return boot !== undefined && ticks !== undefined ? `${boot}/${ticks}` : ps(pid, "lstart=");
}

/** Sends the signals in turn until the process is gone; throws when it outlives them all. */
export async function stopProcess(pid: number, steps: readonly StopStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!isRunning(pid)) return;
    process.kill(pid, signal);
    const deadline = Date.now() + waitMs;
    while (isRunning(pid) && Date.now() < deadline) await sleep(10);
  }
  if (isRunning(pid)) throw new Error(`process ${pid} does not stop`);
}

/** An orphan that nobody has waited for still has its id, but holds no files or sockets. */
function isZombie(pid: number): boolean {
  return statFields(pid)?.[0] === "Z";
}

/**
 * The fields of /proc/PID/stat after the command name, which may itself hold spaces and brackets.
 */
function statFields(pid: number): string[] | undefined {
  const stat = readProc(pid, "stat");
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined; // not Linux
  }
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined; // not Linux, or gone
  }
}

function ps(pid: number, column: string): string {
  try {
    return execFileSync(requireProgram("ps"), ["-o", column, "-p", String(pid)], {
      encoding: "utf8",
    }).trim();
  } catch {
    return ""; // gone
  }
}
