import type { Sample } from "./plan.ts";

/** The value below which that share of the numbers lies; 0 of none. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Requests due from one moment of a run to another, in milliseconds. */
export function dueIn(samples: readonly Sample[], fromMs: number, toMs: number): Sample[] {
  return samples.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs);
}

/** The outcomes of requests. */
export type Figures = {
  readonly sent: number;
  readonly ok: number;
  readonly share: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly refusedP50Ms: number;
  readonly refusedP99Ms: number;
  /** Refusals that named no delay. */
  readonly undelayed: number;
};

/** Counts requests and the times of their answers. */
export function figuresOf(samples: readonly Sample[]): Figures {
  const answered = samples.filter(({ outcome }) => outcome === "ok");
  const others = samples.filter(({ outcome }) => outcome !== "ok");
  const refused: Record<string, number> = {};
  for (const { outcome } of others) refused[outcome] = (refused[outcome] ?? 0) + 1;
  const times = answered.map(({ tookMs }) => tookMs);
  const refusedTimes = others.map(({ tookMs }) => tookMs);
  return {
    sent: samples.length,
    ok: answered.length,
    share: answered.length / Math.max(1, samples.length),
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    refused,
    refusedP50Ms: percentile(refusedTimes, 0.5),
    refusedP99Ms: percentile(refusedTimes, 0.99),
    undelayed: others.filter(({ delayed }) => !delayed).length,
  };
}
