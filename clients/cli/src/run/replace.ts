import { existsSync } from "node:fs";
import { join } from "node:path";
import { getSystemErrorName } from "node:util";
import { CliError } from "../app/failure.ts";

// Search path for a program when there is no PATH, as in execvp(3).
const defaultPath = "/bin:/usr/bin";

// Signals that the runtime ignores would stay ignored in the new program; handled ones are reset to
// the default.
const ignoredByNode = ["SIGPIPE", "SIGXFSZ"] as const;

/**
 * Replaces this process by a program, as a shell's exec does: the same process id, terminal,
 * process group and open streams, so that signals, job control and the exit status are the
 * program's own, and nothing of this process and its memory is left. Returns only by throwing
 * COMMAND_NOT_FOUND (127) or COMMAND_NOT_STARTED (126).
 */
export function replaceBy(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): never {
  const [file = "", ...args] = command;
  for (const signal of ignoredByNode) process.on(signal, () => undefined);
  let failure: string | undefined;
  for (const path of pathsOf(file, env["PATH"] ?? defaultPath)) {
    const code = attempt(path, [file, ...args], env);
    if (code === "ENOEXEC") return withoutInterpreter(file, path, args, env);
    if (code === "ENOENT" && existsSync(path)) throw withoutProgram(file);
    if (code !== "ENOENT" && code !== "ENOTDIR") failure ??= code;
  }
  throw failure === undefined ? notFound(file) : notStarted(file, failure);
}

/**
 * Why a program could not be started, by the system's name of the error; a shell's exit code is 127
 * or 126.
 */
export function startFailure(file: string, code: string): CliError {
  if (code !== "ENOENT" && code !== "ENOTDIR") return notStarted(file, code);
  return file.includes("/") && existsSync(file) ? withoutProgram(file) : notFound(file);
}

function notFound(file: string): CliError {
  const message = `${file}: there is no such command`;
  // A line that was quoted as a whole is meant for a shell.
  if (!/\s/.test(file.trim())) return new CliError("COMMAND_NOT_FOUND", message);
  return new CliError("COMMAND_NOT_FOUND", message, {
    next: "give each word as an argument, or the line to a shell: sallyport run -- sh -c '…'",
  });
}

function notStarted(file: string, code: string): CliError {
  if (code !== "E2BIG")
    return new CliError("COMMAND_NOT_STARTED", `${file} could not be started (${code})`);
  return new CliError("COMMAND_NOT_STARTED", "the environment and the arguments are too large", {
    next: "give it fewer secrets with --only, or less of the environment with --no-inherit",
  });
}

// The file is there: what is missing is the program that its first line names, often by a carriage
// return at its end.
function withoutProgram(file: string): CliError {
  return new CliError("COMMAND_NOT_STARTED", `${file} names an interpreter that is not there`, {
    next:
      "look at its first line: the path after #! must exist, and the line must not end in CR " +
      "LF",
  });
}

function pathsOf(file: string, path: string): string[] {
  return file.includes("/") ? [file] : path.split(":").map((folder) => join(folder || ".", file));
}

function attempt(
  path: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): string {
  if (!process.execve) return "this system has no exec";
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined; // That execve is experimental is of no use to the user.
  try {
    process.execve(path, argv, env);
  } catch (error) {
    return codeOf(error);
  } finally {
    process.emitWarning = emitWarning;
  }
  return "EAGAIN"; // It does not return when it succeeds.
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ("errno" in error && typeof error.errno === "number")
    return getSystemErrorName(-Math.abs(error.errno));
  return "code" in error ? String(error.code) : error.message;
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
