import { execFile } from "node:child_process";

/** A client in another language, ready to run. */
export type ForeignProgram = {
  readonly command: string;
  readonly args: readonly string[];
  /** Environment variables beside PATH. */
  readonly env: Readonly<Record<string, string>>;
};

/** A program, or why there is none here. */
export type Prepared =
  | { readonly kind: "ready"; readonly program: ForeignProgram }
  | { readonly kind: "missing"; readonly reason: string };

/** There is no program here, for the reason that the first line says. */
export function missing(reason: string): Prepared {
  return { kind: "missing", reason: reason.split("\n")[0] ?? "" };
}

/**
 * Prints why a program is missing, and returns what to add to the title of the tests that are
 * skipped for it.
 */
export function announceMissing(language: string, prepared: Prepared): string {
  if (prepared.kind === "ready") return "";
  console.warn(`client in ${language}: skipped, ${prepared.reason}`);
  return ` (skipped: ${prepared.reason})`;
}

/** The program; throws when it is missing. */
export function programOf(prepared: Prepared): ForeignProgram {
  if (prepared.kind === "missing") throw new Error(prepared.reason);
  return prepared.program;
}

/** The result of a run; both outputs are trimmed. */
export type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end, whatever its exit code; code 127 when there is no such command. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<Run> {
  const { env, cwd } = options;
  const all = { ...process.env, ...env };
  return new Promise((resolve) => {
    execFile(command, args, { env: all, cwd, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, stdout: stdout.trim(), stderr: stderr.trim() });
    });
  });
}

/** Runs a command that must succeed; throws with what it said otherwise. */
export async function mustRun(...parameters: Parameters<typeof run>): Promise<string> {
  const { code, stdout, stderr } = await run(...parameters);
  if (code !== 0)
    throw new Error(`${parameters[0]} ${parameters[1].join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/**
 * Whether a command failed because a package registry is out of reach, and not because of what it
 * sent.
 */
export function isOutOfReach({ stderr }: Run): boolean {
  return /dial tcp|no such host|i\/o timeout|connection refused|network is unreachable|NewConnectionError|Max retries exceeded|ConnectTimeoutError|Temporary failure in name resolution|ProxyError|Read timed out/i.test(
    stderr,
  );
}
