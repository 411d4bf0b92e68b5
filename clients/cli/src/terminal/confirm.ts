import { createInterface } from "node:readline/promises";
import { CliError, UsageError } from "../app/failure.ts";
import { restoredTerminal } from "./restored.ts";

/**
 * Asks before a change that cannot be undone: on a terminal [y/N], and without one --yes has to be
 * there. Throws UsageError unless it was said, STOPPED for Ctrl-C.
 */
export async function confirmed(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY)
    throw new UsageError(
      "this needs a confirmation, and there is no terminal to ask on",
      "confirm with --yes",
    );
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  using _ = restoredTerminal();
  const stop = new AbortController();
  asking.once("SIGINT", () => stop.abort());
  const answer = await asking
    .question(`${question} [y/N] `, { signal: stop.signal })
    .catch(() => "") // Ctrl-C or Ctrl-D: leaving is not a yes.
    .finally(() => asking.close());
  if (stop.signal.aborted) throw new CliError("STOPPED", "stopped");
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new UsageError("nothing was changed", "answer y to continue, or confirm with --yes");
}
