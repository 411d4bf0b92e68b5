import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning, startOf } from "../host/process.ts";

/** Says that another living supervisor runs the servers of this directory. */
export class AlreadyRunningError extends Error {
  override name = "AlreadyRunningError";
}

/** Returns the function that gives the directory back. */
export type Release = () => void;

/**
 * Marks the directory as used by this process; throws AlreadyRunningError while another living
 * process holds it. Whatever a dead holder left running may be stopped after a claim. Two claims at
 * the same instant are not distinguished.
 */
export function claimDirectory(dir: string): Release {
  const file = join(dir, "owner");
  const holder = readHolder(file);
  if (holder !== undefined && holder !== process.pid) {
    throw new AlreadyRunningError(`${dir} is in use by process ${holder}: stop it first`);
  }
  writeFileSync(file, `${process.pid}\n${startOf(process.pid)}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function readHolder(file: string): number | undefined {
  const [pidLine = "", start = ""] = readLines(file);
  const pid = Number.parseInt(pidLine, 10);
  return pid > 0 && isRunning(pid) && startOf(pid) === start ? pid : undefined;
}

/** Reads a file's lines; a file that is not there has none. */
export function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
