/**
 * npm run chaos: injects faults into a deployment under load for as long as asked, and checks the
 * whole history. Options: --seed N (chosen by chance), --minutes M (6; 0 is one round), --only TEXT
 * (faults whose name contains it), --data DIR (where to put the deployment's data, and leave it
 * with its logs). A seed gives the same faults in the same order again.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { runChaos } from "./run.ts";
import { summaryOf } from "./summary.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "6" },
    only: { type: "string" },
    data: { type: "string" },
  },
});
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
console.log(`seed ${seed}`);
const report = await runChaos({
  seed,
  minutes: Number(values.minutes) || undefined,
  only: values.only,
  data: values.data,
  say: (line) => console.log(line),
});
console.log(summaryOf(report.history));
for (const [claim, sentences] of Object.entries(report.violations)) {
  console.log(`${sentences.length === 0 ? "holds" : "BROKEN"}: ${claim}`);
  for (const sentence of sentences.slice(0, 20)) console.log(`  ${sentence}`);
  if (sentences.length > 0) process.exitCode = 1;
}
