import { constants } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import { dirname, join, basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const waitMs = 2_000;
const lookMs = 5;
/** A lock is held for milliseconds: one of this age was left by a process that was killed. */
const staleMs = 30_000;

/** The error to throw when another process holds the lock for two seconds. */
export type LockOptions = { readonly whenTaken?: () => Error };

/**
 * Runs an action under the lock of a file, which is a file beside it. A stale lock is removed.
 * Where no lock can be made, because the folder does not exist yet or is not writable, and when
 * another process holds it for two seconds, the action runs without it, unless `whenTaken` has an
 * error to throw: its writes are atomic in any case, and report their own errors.
 */
export async function locked<T>(
  path: string,
  run: () => Promise<T>,
  { whenTaken }: LockOptions = {},
): Promise<T> {
  const lock = join(dirname(path), `.${basename(path)}.lock`);
  const held = await take(lock);
  if (held === undefined && whenTaken) throw whenTaken();
  try {
    return await run();
  } finally {
    if (held) await unlink(lock).catch(() => undefined);
  }
}

// Undefined when another process holds it, false when none can be made.
async function take(lock: string): Promise<boolean | undefined> {
  for (const untilMs = Date.now() + waitMs; Date.now() < untilMs; await sleep(lookMs)) {
    try {
      await (await open(lock, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)).close();
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) return false;
    }
    const made = await stat(lock).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > staleMs) await unlink(lock).catch(() => undefined);
  }
  return undefined;
}
