import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Prepared } from "./foreign-program.ts";

/** Where programs and their packages are made, and kept for the next run. */
export const cache: string = join(
  import.meta.dirname,
  "..",
  "..",
  "node_modules",
  ".cache",
  "sallyport-interop",
);

const lookMs = 100;
/** The process that runs the test files, each in a process of its own below it. */
const run = process.ppid;

/**
 * Prepares a program once in a run, by the test file that comes first; the others wait for it and
 * take what it made. Two at once would write over each other's files, and over those of tests that
 * have begun.
 */
export async function preparedOnce(
  name: string,
  prepare: () => Promise<Prepared>,
): Promise<Prepared> {
  mkdirSync(cache, { recursive: true });
  using _held = await hold(join(cache, `${name}.lock`));
  const file = join(cache, `${name}.json`);
  const known = readKnown(file);
  if (known?.run === run) return known.prepared;
  const prepared = await prepare();
  writeFileSync(file, JSON.stringify({ run, prepared }));
  return prepared;
}

function readKnown(
  file: string,
): { readonly run: number; readonly prepared: Prepared } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { run: number; prepared: Prepared };
  } catch {
    return undefined; // This run is the first, or the one before was cut off while it wrote.
  }
}

async function hold(lock: string): Promise<Disposable> {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      return { [Symbol.dispose]: () => rmSync(lock, { force: true }) };
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    if (isLeft(lock)) rmSync(lock, { force: true });
    await sleep(lookMs);
  }
}

// By a process that was killed while it held it.
function isLeft(lock: string): boolean {
  try {
    const holder = Number(readFileSync(lock, "utf8"));
    if (holder === 0) return false; // It is being written.
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
