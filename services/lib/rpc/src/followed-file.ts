import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** What a file says, taken up anew whenever it changes. */
export type FollowedFile<T> = Disposable & { readonly current: T };

/** Which file to follow, and how it is read. */
export type FollowOptions<T> = {
  readonly file: string;
  /** Reads new content beside what holds so far; what it throws keeps that in force. */
  readonly read: (content: Uint8Array, current: T | undefined) => T | Promise<T>;
  /** Told, once for each new content, why it was not taken up. */
  readonly onRefused: (error: unknown) => void;
  readonly intervalMs?: number;
};

const pollMs = 5_000;

/**
 * Reads a file and follows it until disposed. Throws when the first content is refused; later a refused one is told and
 * the one before stays. Contents are compared on a timer, as those of TLS files are: a mounted file changes through a
 * renamed folder, which file events miss.
 */
export async function followFile<T>(options: FollowOptions<T>): Promise<FollowedFile<T>> {
  const { file, read, onRefused, intervalMs = pollMs } = options;
  let known: Uint8Array = readFileSync(file);
  let current = await read(known, undefined);
  let looking = false;
  const look = async (): Promise<void> => {
    const content = await readFile(file).catch(() => known); // Being replaced: the next look finds it.
    if (Buffer.compare(content, known) === 0) return;
    known = content;
    try {
      current = await read(content, current);
    } catch (error) {
      onRefused(error);
    }
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => (looking = false));
  }, intervalMs).unref();
  return {
    get current() {
      return current;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
