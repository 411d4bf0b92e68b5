import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { CliError, UsageError } from "../app/failure.ts";
import { restoredTerminal } from "./restored.ts";
import { createTyping } from "./typing.ts";

/**
 * Reads a value from a file, from standard input, or from a prompt that does not echo. Never from
 * the command line, where other processes could see it. Of piped input one line end (LF or CR LF)
 * and a byte order mark are dropped, both put there by programs and not by people, unless `exact`.
 */
export async function readValue(options: {
  readonly file?: string;
  readonly exact?: boolean;
  readonly prompt: string;
}): Promise<Uint8Array> {
  if (options.file !== undefined) {
    return readFile(options.file).catch(() => {
      throw new UsageError(`${options.file} cannot be read`, "name a file that can");
    });
  }
  if (process.stdin.isTTY) return Buffer.from(await promptHidden(options.prompt), "utf8");
  const value = await buffer(process.stdin);
  return options.exact === true ? value : trimmed(value);
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Piped input without one line end and without a byte order mark. */
export function trimmed(input: Uint8Array): Uint8Array {
  const marked = byteOrderMark.equals(input.subarray(0, byteOrderMark.length));
  const value = marked ? input.subarray(byteOrderMark.length) : input;
  if (value.at(-1) !== 0x0a) return value;
  return value.subarray(0, value.at(-2) === 0x0d ? -2 : -1);
}

/** Asks on the terminal without echo; STOPPED for Ctrl-C, UsageError for lines that were pasted. */
export function promptHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  const restored = restoredTerminal();
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  // After that: whatever is typed from now on, even before the answer is waited for, is not echoed.
  stderr.write(question);
  const typing = createTyping();
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      stdin.off("data", take);
      stdin.setRawMode(false);
      restored[Symbol.dispose]();
      stdin.pause();
      stderr.write("\n");
      settle();
    };
    const take = (keys: string): void => {
      const typed = typing.take(keys);
      if (typed === "more") return;
      if (typed === "stopped") return done(() => reject(new CliError("STOPPED", "stopped")));
      if (typed === "lines") return done(() => reject(severalLines()));
      done(() => resolve(typed.text));
    };
    stdin.on("data", take);
    stdin.resume();
  });
}

function severalLines(): UsageError {
  return new UsageError(
    "several lines were pasted, and an answer is one line: nothing was taken",
    "put them into a file and pipe it in, or name it with --file where there is one",
  );
}

/** Tells whether there is a terminal to ask on. */
export function canAsk(): boolean {
  return process.stdin.isTTY;
}
