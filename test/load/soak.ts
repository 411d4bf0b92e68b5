/**
 * npm run soak -- --minutes 10: sealed reads at 70 % of what the deployment can answer, and what
 * its processes hold meanwhile. Fails when one holds more and more: in the last third of the time,
 * the median of its resident memory may be 10 % or 16 MiB over the thirds before, the least of its
 * heap 10 % or 8 MiB, its open descriptors 8. Less than five minutes are too short to be judged.
 * Options: --minutes N (10), --machines N (64), --share N (0.7).
 */
import { parseArgs } from "node:util";
import { processes } from "@sallyport/deploy/local";
import { seriesOf } from "../infra/index.ts";
import { scrape } from "../system/observed.ts";
import { figuresOf, percentile } from "./figures.ts";
import { type Ground, keysOf, startGround } from "./ground.ts";
import { addresses, measurePeak } from "./overload.ts";
import type { Group, Sample } from "./plan.ts";
import { machineLine, peakLines, shareLine } from "./print.ts";
import { type Held, heldBy } from "./processes.ts";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    machines: { type: "string", default: "64" },
    share: { type: "string", default: "0.7" },
  },
});

type Look = Held & { readonly heapBytes: number };
type Looks = ReadonlyMap<string, readonly Look[]>;

const sliceSeconds = 10; // What is signed before it is good for a minute.
const mebi = 1024 * 1024;

await using ground = await startGround(Number(options.machines));
const peak = await measurePeak(ground, 10);
console.log([machineLine(), ...peakLines(peak)].join("\n"));
const perSecond = peak.perSecond * Number(options.share);
const { samples, looks } = await soak(ground, perSecond, Number(options.minutes) * 60);
console.log(
  `soak, ${options.minutes} minutes at ${perSecond.toFixed(0)} reads/s: ${shareLine(figuresOf(samples))}`,
);
const faults: string[] = [];
for (const name of processes) console.log(lineOf(name, looks.get(name) ?? [], faults));
const judged = Number(options.minutes) >= 5;
for (const fault of faults) console.log(`${judged ? "FAILED" : "not judged"}: ${fault}`);
if (judged && faults.length > 0) process.exitCode = 1;

/** Asks evenly for so long, and looks at what each process holds after each slice of the time. */
async function soak(
  over: Ground,
  rate: number,
  seconds: number,
): Promise<{ samples: readonly Sample[]; looks: Looks }> {
  const all: Sample[] = [];
  const seen = new Map<string, Look[]>(processes.map((name) => [name, []]));
  for (let at = 0; at < seconds; at += sliceSeconds) {
    const load = [{ perSecond: rate, seconds: Math.min(sliceSeconds, seconds - at) }];
    const group: Group = { name: "all", keys: keysOf(over.machines), addresses, load };
    all.push(...((await over.send([group]))["all"] ?? []));
    for (const [name, look] of await lookAt(over)) seen.get(name)?.push(look);
  }
  return { samples: all, looks: seen };
}

async function lookAt({ deployment }: Ground): Promise<[name: string, look: Look][]> {
  const metrics = await scrape(deployment.system);
  return [...heldBy(deployment)].map(([name, held]) => {
    const heapBytes =
      seriesOf(metrics.get(name) ?? "").get("v8js_memory_heap_used_bytes") ?? Number.NaN;
    return [name, { ...held, heapBytes }];
  });
}

function lineOf(name: string, all: readonly Look[], found: string[]): string {
  const third = Math.ceil(all.length / 3);
  const [first, middle, last] = [
    all.slice(0, third),
    all.slice(third, 2 * third),
    all.slice(-third),
  ];
  const grown = (
    what: string,
    of: (part: readonly Look[]) => number,
    spare: number,
    share: number,
  ): string => {
    // What is collected or swapped out in between is no growth after it.
    const [before, after] = [Math.max(of(first), of(middle)), of(last)];
    if (!(after <= Math.max(before * (1 + share), before + spare)))
      found.push(
        `${name} holds more and more ${what}: ${before.toFixed(0)}, then ${after.toFixed(0)}`,
      );
    const unit = spare > mebi ? mebi : 1;
    return `${what} ${[of(first), of(middle), after].map((value) => (value / unit).toFixed(0)).join(", ")}`;
  };
  const resident = (part: readonly Look[]) =>
    percentile(
      part.map(({ residentBytes }) => residentBytes),
      0.5,
    );
  const heap = (part: readonly Look[]) => Math.min(...part.map(({ heapBytes }) => heapBytes));
  const open = (part: readonly Look[]) =>
    percentile(
      part.map(({ descriptors }) => descriptors),
      0.5,
    );
  const parts = [
    grown("resident MiB", resident, 16 * mebi, 0.1),
    grown("heap MiB", heap, 8 * mebi, 0.1),
    grown("descriptors", open, 8, 0),
  ];
  return `  ${name.padEnd(9)} ${parts.join("; ")}`;
}
