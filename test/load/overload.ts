import { type Figures, dueIn, figuresOf } from "./figures.ts";
import { type Ground, keysOf } from "./ground.ts";
import type { Group, Sample } from "./plan.ts";
import { measureCpu } from "./processes.ts";

/** The most that a deployment answers. */
export type Peak = {
  /** Answers per second to 32 clients in a closed loop. */
  readonly perSecond: number;
  readonly figures: Figures;
  /** CPU microseconds of each process for one answer. */
  readonly cpuMicroseconds: ReadonlyMap<string, number>;
};

/** The result of an open loop of three times the peak. */
export type Overload = {
  /**
   * The peak a second: the higher one of before and after, since a process that was just started is
   * slow.
   */
  readonly peak: number;
  readonly offered: number;
  /** Answers per second that arrive during the overload. */
  readonly goodput: number;
  readonly figures: Figures;
  /**
   * Milliseconds from the end of the overload until nine of ten are answered within half a second.
   */
  readonly recoveryMs: number;
};

const workers = 32;
const warmUpSeconds = 2;
const times = 3;
const afterwardsSeconds = 4;
const mostPerSecond = 1500;
const [sliceMs, quickMs] = [100, 500];

/** The loopback addresses that clients send from. */
export const addresses = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 11}`);

/** Asks as fast as answers come for so many seconds, after two to warm up. */
export async function measurePeak(ground: Ground, seconds: number): Promise<Peak> {
  const ask = (length: number): Group[] => [
    everybody(ground, { workers, seconds: length, perSecond: mostPerSecond }),
  ];
  await ground.send(ask(warmUpSeconds));
  let used = measureCpu(ground.deployment);
  const { all = [] } = await ground.send(
    ask(seconds),
    () => (used = measureCpu(ground.deployment)),
  );
  const cpu = [...used()];
  const figures = figuresOf(all);
  const lastMs = Math.max(...all.map(({ dueMs, tookMs }) => dueMs + tookMs));
  return {
    perSecond: (figures.ok * 1000) / lastMs,
    figures,
    cpuMicroseconds: new Map(
      cpu.map(([name, cpuSeconds]) => [name, (cpuSeconds * 1e6) / figures.ok]),
    ),
  };
}

/**
 * Asks three times the peak for so many seconds, half of it for four, and measures the peak again.
 */
export async function overload(ground: Ground, peak: Peak, seconds: number): Promise<Overload> {
  const offered = peak.perSecond * times;
  const load = [
    { perSecond: offered, seconds },
    { perSecond: peak.perSecond / 2, seconds: afterwardsSeconds },
  ];
  const { all = [] } = await ground.send([everybody(ground, load)]);
  const again = await measurePeak(ground, seconds);
  const endMs = seconds * 1000;
  const during = dueIn(all, 0, endMs);
  const inTime = during.filter(
    ({ outcome, dueMs, tookMs }) => outcome === "ok" && dueMs + tookMs < endMs,
  );
  return {
    peak: Math.max(peak.perSecond, again.perSecond),
    offered,
    goodput: inTime.length / seconds,
    figures: figuresOf(during),
    recoveryMs: recoveryOf(all, endMs),
  };
}

function everybody({ machines }: Ground, load: Group["load"]): Group {
  return { name: "all", keys: keysOf(machines), addresses, load };
}

function recoveryOf(samples: readonly Sample[], endMs: number): number {
  let recoveredMs = endMs;
  for (let fromMs = endMs; fromMs < endMs + afterwardsSeconds * 1000; fromMs += sliceMs) {
    const slice = dueIn(samples, fromMs, fromMs + sliceMs);
    const quick = slice.filter(({ outcome, tookMs }) => outcome === "ok" && tookMs < quickMs);
    if (quick.length < slice.length * 0.9) recoveredMs = fromMs + sliceMs;
  }
  return recoveredMs - endMs;
}
