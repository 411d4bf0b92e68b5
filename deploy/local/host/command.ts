import { spawn } from "node:child_process";
import { join } from "node:path";
import { nodeProgram, systemPath } from "./system-program.ts";

/** The repository's root: commands are run from there. */
export const repository = join(import.meta.dirname, "..", "..", "..");

/** A command that a service brings along failed; the message is its own last sentence. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/**
 * The last reason that a Node program gave for ending: the sentence of its error, without name and
 * stack.
 */
export function lastSentence(output: string): string {
  const sentences = [
    ...output.matchAll(/^(?:Uncaught )?(?:\w*Error|\w*Failure)(?: \[\w+\])?: (.+)$/gm),
  ].map((match) => match[1] ?? "");
  const fatal = [...output.matchAll(/"msg":"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? "");
  return (
    sentences.at(-1) ?? fatal.at(-1) ?? (output.trim().split("\n").at(-1) || "it said nothing")
  );
}

/**
 * Runs one of the repository's TypeScript programs with exactly the given environment and returns
 * what it printed. Throws CommandError with the program's own sentence.
 */
export function runProgram(
  program: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<string> {
  const child = spawn(nodeProgram, [join(repository, program), ...args], {
    cwd: repository,
    env: { ...env, PATH: systemPath },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) return resolve(output);
      // Ctrl-C reaches the whole group.
      if (signal !== null)
        return reject(new CommandError(`stopped by ${signal}: the next start goes on from here`));
      reject(new CommandError(`${program}: ${lastSentence(errors)}`));
    });
  });
}
