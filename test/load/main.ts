/**
 * npm run load: the peak, three times as much, and the others beside a noisy one, on a whole
 * deployment on this machine. An open loop by a process of its own that signs before the measured
 * time. Options: --seconds N of each part (10), --machines N (64).
 */
import { parseArgs } from "node:util";
import { fairness } from "./fairness.ts";
import { startGround } from "./ground.ts";
import { measurePeak, overload } from "./overload.ts";
import { fairnessLines, machineLine, overloadLines, peakLines } from "./print.ts";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    machines: { type: "string", default: "64" },
  },
});
const seconds = Number(options.seconds);
const print = (lines: readonly string[]): void => console.log(lines.join("\n"));

await using ground = await startGround(Number(options.machines));
print([machineLine()]);
const peak = await measurePeak(ground, seconds);
print(peakLines(peak));
print(overloadLines(await overload(ground, peak, seconds)));
print(fairnessLines(await fairness(ground, peak, seconds)));
