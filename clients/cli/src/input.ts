import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { UsageError } from "./failure.ts";

/**
 * Reads a value from a file, from standard input, or from a prompt that does not echo. Never from the command line,
 * where other processes could see it. One newline at the end of piped input is dropped unless `exact`.
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
  return options.exact !== true && value.at(-1) === 0x0a ? value.subarray(0, -1) : value;
}

/** Asks on the terminal without echo; Ctrl-C ends with a UsageError. */
export function promptHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  // After that: whatever is typed from now on, even before the answer is waited for, is not echoed.
  stderr.write(question);
  return new Promise((resolve, reject) => {
    let typed = "";
    const done = (settle: () => void): void => {
      stdin.off("data", take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
      settle();
    };
    const take = (keys: string): void => {
      for (const key of keys) {
        if (key === "\r" || key === "\n") return done(() => resolve(typed));
        if (key === "\u0003") return done(() => reject(new UsageError("stopped")));
        typed = key === "\u007f" ? typed.slice(0, -1) : typed + key;
      }
    };
    stdin.on("data", take);
    stdin.resume();
  });
}

/** Whether somebody can be asked. */
export function canAsk(): boolean {
  return process.stdin.isTTY;
}
