import { constants } from "node:fs";
import { open, stat, unlink } from "node:fs/promises";
import { dirname, join, basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const waitMs = 2_000;
const lookMs = 5;
/**
 * What is done under a lock takes milliseconds: one as old as this was left behind by a process
 * that was killed.
 */
const staleMs = 30_000;

/** What to throw when another process holds the lock for two seconds. */
export type LockOptions = { readonly whenTaken?: () => Error };

/**
 * Runs while no other process of ours runs under the lock of the same file, which is a file beside
 * it. One that was left behind is taken away. Where none can be made, for a folder that is not
 * there yet or may not be written, and when one stays for two seconds, it runs all the same, unless
 * `whenTaken` says what to throw: what it writes is whole in any case, and says itself what is
 * wrong.
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

// Undefined when another holds it, false when none can be made.
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
