import { createInterface } from "node:readline/promises";
import { UsageError } from "./failure.ts";

/**
 * Asks before a change that cannot be undone: on a terminal [y/N], and without one --yes has to be there. Throws
 * UsageError unless it was said.
 */
export async function confirmed(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY)
    throw new UsageError("this needs a yes, and there is no terminal to ask on", "say it with --yes");
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking
    .question(`${question} [y/N] `)
    .catch(() => "") // Ctrl-C or Ctrl-D: whoever leaves has not said yes.
    .finally(() => asking.close());
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new UsageError("nothing was changed", "answer y to go on, or say it with --yes");
}
