import { cpus } from "node:os";
import type { Beside, Fairness } from "./fairness.ts";
import type { Figures } from "./figures.ts";
import type { Overload, Peak } from "./overload.ts";

const ms = (value: number): string => `${value.toFixed(0)} ms`;
const rate = (perSecond: number): string => `${perSecond.toFixed(0)} reads/s`;
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** One line on the machine. */
export function machineLine(): string {
  const [cpu] = cpus();
  const cores = `${cpus().length} cores (${cpu?.model ?? "unknown"})`;
  return `node ${process.version}, ${cores}, generator on the same machine`;
}

/** The lines on the peak, with CPU for each answer by process. */
export function peakLines({ perSecond, figures, cpuMicroseconds }: Peak): string[] {
  const cpu = [...cpuMicroseconds].map(
    ([name, used]) => `  ${name.padEnd(9)} ${used.toFixed(0).padStart(6)} µs CPU per read`,
  );
  return [
    `peak: ${perSecond.toFixed(0)} reads/s, p50 ${ms(figures.p50Ms)}, p99 ${ms(figures.p99Ms)}`,
    ...cpu,
  ];
}

/** The lines on the overload. */
export function overloadLines({ peak, offered, goodput, figures, recoveryMs }: Overload): string[] {
  const factor = (offered / peak).toFixed(1);
  const share = percent(goodput / peak);
  return [
    `overload, ${rate(offered)} offered, ${factor} × the peak of ${peak.toFixed(0)}:`,
    `  goodput ${rate(goodput)}, ${share} of the peak; ${answered(figures)}`,
    `  ${refused(figures)}`,
    `  recovered ${ms(recoveryMs)} after its end`,
  ];
}

/** The lines on fairness. */
export function fairnessLines({ alone, besidePrincipal, besideAddress }: Fairness): string[] {
  const beside = (
    who: string,
    { others, noisy, offered, shareRatio, p99Ratio }: Beside,
  ): string[] => [
    `  beside one noisy ${who} (${rate(offered)}): ${percent(others.share)} answered, ` +
      answered(others),
    `    ratios: answered ${shareRatio.toFixed(3)}, p99 ${p99Ratio.toFixed(1)}`,
    `    the noisy one: ${percent(noisy.share)} answered; ${refused(noisy)}`,
  ];
  return [
    `fairness, others alone: ${percent(alone.share)} answered, ${answered(alone)}`,
    ...beside("principal", besidePrincipal),
    ...beside("address", besideAddress),
  ];
}

/** How many were answered and how fast, and why the others were not. */
export function shareLine(figures: Figures): string {
  return `${percent(figures.share)} of ${figures.sent} answered, ${answered(figures)}; ${refused(figures)}`;
}

function answered({ p50Ms, p99Ms }: Figures): string {
  return `answers p50 ${ms(p50Ms)}, p99 ${ms(p99Ms)}`;
}

function refused(figures: Figures): string {
  const reasons = Object.entries(figures.refused).map(([reason, count]) => `${count} ${reason}`);
  if (reasons.length === 0) return "none refused";
  const times = `p50 ${ms(figures.refusedP50Ms)}, p99 ${ms(figures.refusedP99Ms)}`;
  return `refused ${reasons.join(", ")}: ${times}, ${figures.undelayed} without a delay`;
}
