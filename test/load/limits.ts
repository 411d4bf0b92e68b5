/**
 * npm run bench:limits: goodput and latency of a gateway's concurrency limits under overload. Each
 * limit gets a deployment of its own, and they take turns, so that the noise of the machine meets
 * all of them. Measured: 256 workers in a closed loop that wait a second after a refusal; an open
 * loop of three times the peak of the first limit; bursts of 96 requests, one per second. Options:
 * --limits LIST, the highest first (128,64,32), --rounds N (2), --seconds N of each part (4),
 * --machines N (64).
 */
import { parseArgs } from "node:util";
import { type Figures, figuresOf } from "./figures.ts";
import { type Ground, keysOf, startGround } from "./ground.ts";
import { addresses, measurePeak } from "./overload.ts";
import type { Group, Sample } from "./plan.ts";
import { machineLine } from "./print.ts";

const { values: options } = parseArgs({
  options: {
    limits: { type: "string", default: "128,64,32" },
    rounds: { type: "string", default: "2" },
    seconds: { type: "string", default: "4" },
    machines: { type: "string", default: "64" },
  },
});
const limits = options.limits.split(",");
const seconds = Number(options.seconds);
const workers = 256;
const [burstSize, overloadFactor] = [96, 3];
const mostPerSecond = 1500;

type Part = "closed" | "open" | "burst";
type Run = { readonly goodput: number; readonly figures: Figures };

const runs = new Map<string, Run[]>();
let offeredPerSecond: number | undefined; // One rate for all limits.

console.log(machineLine());
for (let round = 0; round < Number(options.rounds); round += 1)
  for (const limit of round % 2 === 0 ? limits : limits.toReversed()) await measure(limit);
for (const [name, measured] of [...runs].toSorted(([a], [b]) => a.localeCompare(b)))
  console.log(summary(name, measured));

async function measure(limit: string): Promise<void> {
  await using ground = await startGround(Number(options.machines), {
    SALLYPORT_CONCURRENCY_LIMIT: limit,
  });
  const peak = await measurePeak(ground, seconds);
  offeredPerSecond ??= peak.perSecond * overloadFactor;
  note("peak", limit, { goodput: peak.perSecond, figures: peak.figures });
  const loads: Record<Part, Group["load"]> = {
    closed: { workers, seconds, perSecond: mostPerSecond, pauseMs: 1000 },
    open: [{ perSecond: offeredPerSecond, seconds }],
    burst: Array.from({ length: seconds }, () => [
      { perSecond: burstSize * 100, seconds: 0.01 },
      { perSecond: 0, seconds: 0.99 },
    ]).flat(),
  };
  for (const [part, load] of Object.entries(loads)) note(part, limit, await run(ground, load));
}

async function run(ground: Ground, load: Group["load"]): Promise<Run> {
  const group: Group = { name: "all", keys: keysOf(ground.machines), addresses, load };
  const { all = [] } = await ground.send([group]);
  return { goodput: inTime(all).length / seconds, figures: figuresOf(all) };
}

// An answer after the end of the part is of no use to it.
function inTime(samples: readonly Sample[]): Sample[] {
  const endMs = seconds * 1000;
  return samples.filter(({ outcome, dueMs, tookMs }) => outcome === "ok" && dueMs + tookMs < endMs);
}

function note(part: string, limit: string, measured: Run): void {
  const name = `${part.padEnd(7)} ${limit.padEnd(7)}`;
  runs.set(name, [...(runs.get(name) ?? []), measured]);
  const { figures } = measured;
  const refused = Object.entries(figures.refused).map(([reason, count]) => `${count} ${reason}`);
  console.log(
    `${name} ${lineOf(measured)}${refused.length > 0 ? `; refused ${refused.join(", ")}` : ""}`,
  );
}

function lineOf({ goodput, figures }: Run): string {
  const { p50Ms, p99Ms, share } = figures;
  const times = `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`;
  return `${goodput.toFixed(0)} reads/s, ${times}, ${(share * 100).toFixed(0)} % answered`;
}

function summary(name: string, measured: readonly Run[]): string {
  const range = (values: number[]): string =>
    `${Math.min(...values).toFixed(0)}-${Math.max(...values).toFixed(0)}`;
  const goodput = range(measured.map((one) => one.goodput));
  const p99 = range(measured.map((one) => one.figures.p99Ms));
  const share = range(measured.map((one) => one.figures.share * 100));
  return `${name} goodput ${goodput} reads/s, p99 ${p99} ms, answered ${share} %`;
}
