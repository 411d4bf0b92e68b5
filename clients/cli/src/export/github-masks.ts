import type { Variable } from "../values/variables.ts";
import { textOf } from "../values/variables.ts";

/**
 * The workflow commands that have a GitHub runner mask values in the job's log: one `::add-mask::`
 * for each line of each value, since the runner compares line by line. Empty lines are left out:
 * they would mask everything.
 */
export function githubMasks(variables: readonly Variable[]): string {
  const lines = variables.flatMap(({ plaintext }) => (textOf(plaintext) ?? "").split(/\r\n|\r|\n/));
  const distinct = new Set(lines.filter((line) => line.trim() !== ""));
  return [...distinct].map((line) => `::add-mask::${line.replaceAll("%", "%25")}\n`).join("");
}
