import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CliHost } from "./host.ts";

/** The result of one run of the command line; output byte for byte in `bytes`. */
export type CliRun = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly bytes: Buffer;
  readonly err: string;
};

type RunOptions = {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
};

/** The command line's own file. */
export const cliProgram: string = fileURLToPath(import.meta.resolve("@sallyport/cli/program"));

/** A home folder of its own, in which the command line is run. */
export type CliHome = Disposable & {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  run(args: readonly string[], options?: RunOptions): Promise<CliRun>;
  /** Runs it and gives what it printed as JSON. Throws when it failed. */
  json(args: readonly string[], options?: RunOptions): Promise<unknown>;
};

/**
 * Makes a home whose environment is PATH, HOME and what is given. Each call is a process of its
 * own, unless there is a host that takes it.
 */
export function createCliHome(given: Readonly<Record<string, string>>, host?: CliHost): CliHome {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-home-"));
  const env = { PATH: process.env["PATH"] ?? "", HOME: dir, ...given };
  const run: CliHome["run"] = (args, options = {}) => {
    const all = { ...env, ...options.env };
    return host?.takes(args, all)
      ? runHosted(host, args, all, options.input)
      : runProgram(args, all, options.input);
  };
  return {
    dir,
    env,
    run,
    async json(args, options) {
      const { code, out, err } = await run([...args, "--json"], options);
      if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${err}`);
      return JSON.parse(out) as unknown;
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}

async function runHosted(
  host: CliHost,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input: string | Uint8Array = "",
): Promise<CliRun> {
  const base64 = Buffer.from(input).toString("base64");
  const { code, signal, out, err } = await host.run({ args, env, input: base64 });
  return { code, signal, bytes: out, out: out.toString(), err: err.toString() };
}

function runProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input: string | Uint8Array = "",
): Promise<CliRun> {
  const child = spawn(process.execPath, [cliProgram, ...args], { env });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  child.stdin.on("error", () => undefined); // It need not read.
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      const bytes = Buffer.concat(out);
      resolve({ code, signal, bytes, out: bytes.toString(), err: Buffer.concat(err).toString() });
    });
  });
}
