import { readFile } from "node:fs/promises";

/** The content of a file, read again whenever it changes. */
export type FollowedFile<T> = Disposable & { readonly current: T };

/** Which file to follow, and how it is read. */
export type FollowOptions<T> = {
  readonly file: string;
  /**
   * Loads the file's bytes; it may refuse a file for its mode or owner. Plain reading unless given.
   */
  readonly load?: (file: string) => Uint8Array | Promise<Uint8Array>;
  /** Reads new content beside what holds so far; what it throws keeps that in force. */
  readonly read: (content: Uint8Array, current: T | undefined) => T | Promise<T>;
  /** Told, once for each new content and reason, why it was not taken up. */
  readonly onRefused: (error: unknown) => void;
  readonly intervalMs?: number;
};

const pollMs = 5_000;

/**
 * Reads a file and follows it until disposed. Throws when the first content is refused; later a
 * refused one is reported and the one before stays. Contents are compared on a timer, as those of
 * TLS files are: a mounted file changes through a renamed folder, which file events miss. What was
 * refused is tried again at every look: it may have come before another file that it belongs with,
 * and the order in which files arrive must not matter.
 */
export async function followFile<T>(options: FollowOptions<T>): Promise<FollowedFile<T>> {
  const { file, load = readFile, read, onRefused, intervalMs = pollMs } = options;
  let known: Uint8Array = await load(file);
  let current = await read(known, undefined);
  let told = "";
  const look = async (): Promise<void> => {
    let content: Uint8Array = new Uint8Array();
    try {
      content = await load(file);
      if (Buffer.compare(content, known) !== 0) {
        current = await read(content, current);
        known = content;
      }
      told = "";
    } catch (error) {
      if (isMissing(error)) return; // Being replaced: the next look finds it.
      const refusal = `${String(error)} ${Buffer.from(content).toString("base64")}`;
      if (refusal !== told) onRefused(error);
      told = refusal;
    }
  };
  let looking = false;
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

function isMissing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "ENOENT") || isMissing(error.cause);
}
