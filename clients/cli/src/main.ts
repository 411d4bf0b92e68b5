import { version } from "@sallyport/client/version";
import { terminalOf } from "./terminal/terminal.ts";
import { withheldStreams } from "./terminal/withheld-streams.ts";

/**
 * Runs one command line and returns its exit code. What asks for the version alone loads nothing
 * else.
 */
export async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (args.length === 1 && (first === "--version" || first === "-V")) {
    terminalOf("stdout", process.env).write(`${version}\n`);
    return 0;
  }
  const { run } = await withheldStreams(() => import("./app/program.ts"));
  return run(args);
}
