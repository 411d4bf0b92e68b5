import { execFile } from "node:child_process";
import { join } from "node:path";

/** The result of one run of the command line. */
export type Run = { readonly code: number; readonly out: string; readonly err: string };

/** The program's file. */
export const program: string = join(import.meta.dirname, "..", "..", "bin", "sallyport.js");

/** Runs the command line in an environment of PATH and what is given, with an input. */
export function sallyport(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: string | Uint8Array = "",
): Promise<Run> {
  const all = { PATH: process.env["PATH"] ?? "", ...env };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: all },
      (error, out, err) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
      },
    );
    child.stdin?.end(input);
  });
}
