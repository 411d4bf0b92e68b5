import { type Figures, dueIn, figuresOf } from "./figures.ts";
import { type Ground, keysOf } from "./ground.ts";
import { measureCpu } from "./processes.ts";
import type { Group, Sample } from "./plan.ts";

/** The most that a deployment answers, and what it answers at three times that. */
export type Overload = {
  /** Answers a second to 32 who wait for theirs before they ask again. */
  readonly peak: number;
  readonly offered: number;
  /** Answers a second while so much is asked. */
  readonly goodput: number;
  readonly during: Figures;
  /** Milliseconds from the end of the overload until nine of ten are answered within half a second. */
  readonly recoveryMs: number;
  /** CPU microseconds of each process for one answer, at the peak. */
  readonly cpu: ReadonlyMap<string, number>;
};

const workers = 32;
const times = 3;
const afterwardsSeconds = 4;
const mostPerSecond = 1500;
const [sliceMs, quickMs] = [100, 500];

/** The loopback addresses that clients send from. */
export const addresses = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 11}`);

/** Answers a second at the most, in so many seconds, after two to warm up. */
export async function measurePeak(ground: Ground, seconds: number): Promise<Pick<Overload, "peak" | "cpu">> {
  const ask = (length: number): Group[] => [
    everybody(ground, { workers, seconds: length, perSecond: mostPerSecond }),
  ];
  await ground.send(ask(2));
  let cpu = measureCpu(ground.deployment);
  const { all = [] } = await ground.send(ask(seconds), () => (cpu = measureCpu(ground.deployment)));
  const used = cpu();
  const { ok } = figuresOf(all);
  const lastMs = Math.max(...all.map(({ dueMs, tookMs }) => dueMs + tookMs));
  return {
    peak: (ok * 1000) / lastMs,
    cpu: new Map([...used].map(([name, cpuSeconds]) => [name, (cpuSeconds * 1e6) / ok])),
  };
}

/** Measures the peak, asks three times as much for so many seconds, and then half of it. */
export async function overload(ground: Ground, seconds: number): Promise<Overload> {
  const { peak, cpu } = await measurePeak(ground, seconds);
  const offered = peak * times;
  const load = [
    { perSecond: offered, seconds },
    { perSecond: peak / 2, seconds: afterwardsSeconds },
  ];
  const { all = [] } = await ground.send([everybody(ground, load)]);
  const endMs = seconds * 1000;
  const during = figuresOf(dueIn(all, 0, endMs));
  return { peak, offered, goodput: during.ok / seconds, during, recoveryMs: recoveryOf(all, endMs), cpu };
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
