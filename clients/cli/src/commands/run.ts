import { spawn } from "node:child_process";
import { constants } from "node:os";
import { type ReadResult, SallyportError } from "@sallyport/client";
import { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Command } from "commander";
import { UsageError } from "../failure.ts";
import { actAs } from "../profile.ts";

/** `sallyport run -- cmd`: runs a command with the machine's secrets in its environment. */
export function runCommand(): Command {
  return new Command("run")
    .description("Run a command with every readable secret in its environment; its exit code is passed on")
    .passThroughOptions()
    .option("--only <names>", "only these secrets, separated by commas")
    .argument("<command...>", "the command and its arguments")
    .addHelpText("after", "\nExample:\n  sallyport run --only DB_URL -- ./deploy.sh --fast")
    .action(async (command: string[], options: { only?: string }) => {
      const results = await actAs("machine", (client) => client.read({ allGranted: true }));
      process.exitCode = await runWith(command, variablesOf(results, options.only?.split(",")));
    });
}

/** The environment variables of what was read; a value that cannot be one is a UsageError. */
export function variablesOf(
  results: readonly ReadResult[],
  only?: readonly string[],
): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const result of results) {
    if (result.kind === "refused")
      throw new SallyportError({ told: result.reason }, `${result.secretId} was refused`);
    if (only && !only.includes(result.name)) continue;
    if (result.name in variables)
      throw new UsageError(`${result.name} is in several projects: use --only, or rename one`);
    if (result.valueKind !== ValueKind.SINGLE)
      throw new UsageError(`${result.name} has fields and cannot become one variable`);
    if (result.plaintext.includes(0))
      throw new UsageError(
        `${result.name} holds a NUL byte and cannot become a variable: use "sallyport get"`,
      );
    variables[result.name] = Buffer.from(result.plaintext).toString("utf8");
  }
  for (const name of only ?? []) {
    if (!(name in variables)) throw new SallyportError("NOT_GRANTED", `no grant covers ${name}`);
  }
  return variables;
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

function runWith(
  [file = "", ...args]: readonly string[],
  variables: Record<string, string>,
): Promise<number> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SALLYPORT_"));
  const child = spawn(file, args, {
    stdio: "inherit",
    env: { ...Object.fromEntries(inherited), ...variables },
  });
  const handlers = forwarded.map((signal) => [signal, () => void child.kill(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return new Promise<number>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      process.stderr.write(`sallyport: ${file} could not be started: ${error.code ?? error.message}\n`);
      resolve(error.code === "ENOENT" ? 127 : 126);
    });
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(() => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  });
}
