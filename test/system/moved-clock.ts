import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A clock that programs can be put under, days ahead of this computer's. */
export type MovedClock = Disposable & {
  /** Puts a program under the clock, as part of its environment: its dates, and what OpenSSL in it takes for the time. */
  readonly env: Readonly<Record<string, string>>;
  /** Moves it to so many days from now, for programs that run already too. */
  move(days: number): void;
  /** What it shows, in Unix milliseconds. */
  now(): number;
};

/**
 * Makes a clock by the library libfaketime, as installed or as downloaded from the distribution without installing it.
 * Timers and files keep the true time. Returns why there is none where the library is not to be had.
 */
export function createMovedClock(): MovedClock | string {
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
  sweepShared();
  move(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    },
    move,
    now: () => Date.now() + offsetDays * 86_400_000,
    [Symbol.dispose]() {
      rmSync(dir, { recursive: true, force: true });
      sweepShared();
    },
  };
}

// The library keeps a semaphore and a memory under each process's id, and leaves them behind when the process is killed:
// the next of that id, as another user, could not open them and would not start.
function sweepShared(): void {
  const folder = "/dev/shm";
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const pid = /^(?:sem\.)?faketime_(?:sem|shm)_(\d+)$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(folder, name));
    } catch {
      // Another user's, which this one may not remove.
    }
  }
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
