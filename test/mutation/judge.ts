import type { Mutant } from "./instrument.ts";
import type { Outcome } from "./lines.ts";

/** A mutant and what tests made of it. */
export type Finding = Mutant & { readonly outcome: Outcome };

/**
 * A mutant that is known to survive, and why that is no gap: it changes nothing, or nothing that
 * matters.
 */
export type Survivor = Pick<Mutant, "file" | "code" | "change"> & { readonly why: string };

/**
 * The least share of mutants that tests must notice. Those that change nothing count as not
 * noticed.
 */
export const leastScore = 0.95;

/** The judgement of one area's run; it stands when score and both lists are as they must be. */
export type Judgement = {
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Between 0 and 1. */
  readonly score: number;
  readonly unexplained: readonly Finding[];
  /** Explained survivors that no longer survive, or no longer exist. */
  readonly stale: readonly Survivor[];
  readonly stands: boolean;
};

/** Judges the findings of a run by the list of survivors that were explained for its files. */
export function judge(findings: readonly Finding[], explained: readonly Survivor[]): Judgement {
  const counts = { killed: 0, timeout: 0, survived: 0, uncovered: 0 };
  for (const { outcome } of findings) counts[outcome] += 1;
  const noticed = counts.killed + counts.timeout;
  const score = findings.length === 0 ? 0 : noticed / findings.length;
  const survivors = findings.filter(
    ({ outcome }) => outcome === "survived" || outcome === "uncovered",
  );
  const listed = new Set(explained.map(nameOf));
  const surviving = new Set(survivors.map(nameOf));
  const unexplained = survivors.filter((finding) => !listed.has(nameOf(finding)));
  const stale = explained.filter((survivor) => !surviving.has(nameOf(survivor)));
  const stands = score >= leastScore && unexplained.length === 0 && stale.length === 0;
  return { counts, score, unexplained, stale, stands };
}

function nameOf({ file, code, change }: Pick<Mutant, "file" | "code" | "change">): string {
  return JSON.stringify([file, code, change]);
}
