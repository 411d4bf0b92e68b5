/**
 * The entry of the command line, in a process that lives for one command. It exists for machines in
 * jobs, which read secrets, and for people, who manage them. It promises one result on standard
 * output and the reason and next step of any failure on standard error, with an exit code per kind
 * of failure. It must never take a value from the command line, print one that was not asked for,
 * show a server's text without making it safe, or repeat a change whose answer was lost.
 */

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
