import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A clock that programs can be put under, days ahead of this computer's. */
export type MovedClock = Disposable & {
  /**
   * Puts a program under the clock, as part of its environment: its dates, and what OpenSSL in it
   * takes for the time.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Moves it to so many days from now, for programs that run already too. */
  move(days: number): void;
  /** The time that it shows, in Unix milliseconds. */
  now(): number;
};

/**
 * Makes a clock by the library libfaketime, as installed or as downloaded from the distribution
 * without installing it. Timers and files keep the true time. Returns why there is none where the
 * library is not to be had.
 */
export async function createMovedClock(): Promise<MovedClock | string> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-clock-"));
  chmodSync(dir, 0o755); // Processes that run as users of their own read it as well.
  const library = join(dir, "libfaketime.so.1");
  const file = join(dir, "offset");
  let offsetDays = 0;
  const move = (days: number): void => {
    offsetDays = days;
    // Whole or not at all: a process that reads half of it would be set to the true time.
    writeFileSync(`${file}.new`, `+${days}d\n`, { mode: 0o644 });
    renameSync(`${file}.new`, file);
  };
  try {
    copyFileSync(libraryFile(dir), library);
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    return `libfaketime is not installed and cannot be downloaded: ${error instanceof Error ? error.message : String(error)}`;
  }
  chmodSync(library, 0o755);
  move(0);
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
  };
  const shared = await shareMemory(env);
  return {
    env: { ...env, ...shared.env },
    move,
    now: () => Date.now() + offsetDays * 86_400_000,
    [Symbol.dispose]() {
      shared[Symbol.dispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

type Shared = Disposable & { readonly env: Readonly<Record<string, string>> };

// The library keeps a semaphore and a memory, and makes them under the id of a process that was not
// told of any. A program that is started by another user and then changes to its own, as ours do,
// could not open those. So one process makes them for all.
async function shareMemory(env: Readonly<Record<string, string>>): Promise<Shared> {
  const holder = spawn("sleep", ["infinity"], { env, stdio: "ignore" });
  const [semaphore, memory] = [`faketime_sem_${holder.pid}`, `faketime_shm_${holder.pid}`];
  const files = [`sem.${semaphore}`, memory].map((name) => join("/dev/shm", name));
  for (let left = 100; left > 0 && !files.every((file) => existsSync(file)); left -= 1)
    await sleep(20);
  for (const file of files) chmodSync(file, 0o666);
  return {
    env: { FAKETIME_SHARED: `/${semaphore} /${memory}` },
    [Symbol.dispose]() {
      holder.kill("SIGKILL");
      for (const file of files) rmSync(file, { force: true });
    },
  };
}

function libraryFile(dir: string): string {
  const [installed] = globSync("/usr/lib/*/faketime/libfaketime.so.1");
  if (installed !== undefined) return installed;
  const options = { cwd: dir, stdio: "pipe", timeout: 60_000 } as const;
  execFileSync("apt-get", ["download", "libfaketime"], options);
  const [archive = ""] = globSync("libfaketime_*.deb", { cwd: dir });
  execFileSync("dpkg-deb", ["-x", archive, "."], options);
  const [unpacked] = globSync(join(dir, "usr/lib/*/faketime/libfaketime.so.1"));
  if (unpacked === undefined) throw new Error(`${archive} does not hold it`);
  return unpacked;
}
