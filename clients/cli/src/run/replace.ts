import { join } from "node:path";
import { CliError } from "../failure.ts";

// What the runtime ignores would stay ignored in the new program; what it handles goes back to the default.
const ignoredByNode = ["SIGPIPE", "SIGXFSZ"] as const;

/**
 * Replaces this process by a program, as a shell's exec does: the same process id, terminal, process group and open
 * streams, so that signals, job control and the exit status are the program's own, and nothing of this process and its
 * memory is left. Returns only by throwing COMMAND_NOT_FOUND (127) or COMMAND_NOT_STARTED (126).
 */
export function replaceBy(command: readonly string[], env: Readonly<Record<string, string>>): never {
  const [file = "", ...args] = command;
  for (const signal of ignoredByNode) process.on(signal, () => undefined);
  let failure: string | undefined;
  for (const path of pathsOf(file, env["PATH"] ?? "")) {
    const code = attempt(path, [file, ...args], env);
    if (code === "ENOEXEC") return withoutInterpreter(file, path, args, env);
    if (code !== "ENOENT" && code !== "ENOTDIR") failure ??= code;
  }
  throw failure === undefined ? notFound(file) : notStarted(file, failure);
}

/** A program that is not there; a shell's exit code for it is 127. */
export function notFound(file: string): CliError {
  return new CliError("COMMAND_NOT_FOUND", `${file}: there is no such command`);
}

/** A program that is there and cannot be started; a shell's exit code for it is 126. */
export function notStarted(file: string, code: string): CliError {
  return new CliError("COMMAND_NOT_STARTED", `${file} could not be started (${code})`);
}

function pathsOf(file: string, path: string): string[] {
  return file.includes("/") ? [file] : path.split(":").map((folder) => join(folder || ".", file));
}

function attempt(path: string, argv: readonly string[], env: Readonly<Record<string, string>>): string {
  if (!process.execve) return "this system has no exec";
  try {
    process.execve(path, argv, env);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
  return "EAGAIN"; // It does not return when it succeeds.
}

// A script without #! is for the shell, as execvp(3) has it.
function withoutInterpreter(
  file: string,
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): never {
  throw notStarted(file, attempt("/bin/sh", ["sh", path, ...args], env));
}
