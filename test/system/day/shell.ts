import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Step } from "./session.ts";

// Runs bash on a terminal of so many columns; what it prints comes out as it is.
const onTerminal = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
    os.execvp("bash", ["bash", "--norc", sys.argv[2]])
while True:
    try: chunk = os.read(fd, 4096)
    except OSError: break
    if not chunk: break
    sys.stdout.buffer.write(chunk)
os.waitpid(pid, 0)
`;

// Before each output, and before each exit code.
const mark = "\u001e";

/** The folder of a day, for what is passed on; in it a home for each person. */
export type Place = {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly columns: number;
};

/**
 * Types every command into one bash on a terminal, in the home of who types it, and gives what each
 * printed, with "[exit N]" after it when it failed.
 */
export async function typeAll(
  steps: readonly Step[],
  { dir, env, columns }: Place,
): Promise<string[]> {
  const script = ["stty -echo -onlcr", ...steps.map((step) => linesOf(step, dir))];
  for (const { who } of steps) mkdirSync(join(dir, who), { recursive: true });
  const file = join(dir, ".day.sh");
  writeFileSync(file, script.join("\n"));
  const printed = await outputOf(["-c", onTerminal, String(columns), file], dir, {
    ...env,
    NO_COLOR: "1",
    TERM: "xterm",
  });
  const parts = printed.split(mark).slice(1);
  return steps.map((_, index) => {
    const output = (parts[2 * index] ?? "").replace(/\n$/, "");
    const code = parts[2 * index + 1] ?? "?";
    return code === "0" ? output : [output, `[exit ${code}]`].filter(Boolean).join("\n");
  });
}

function linesOf({ who, command }: Step, dir: string): string {
  const quoted = command.replaceAll("'", String.raw`'\''`);
  return `export HOME='${join(dir, who)}'; printf '${mark}'; eval '${quoted}'; printf '${mark}%d' $?`;
}

function outputOf(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn("python3", [...args], { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve(Buffer.concat(chunks).toString()));
  });
}
