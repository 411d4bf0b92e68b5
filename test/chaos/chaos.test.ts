import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { runChaos } from "./run.ts";
import { summaryOf } from "./summary.ts";

test("under load, through every sort of fault, what is claimed holds and everything comes back", async () => {
  const given = process.env["SALLYPORT_CHAOS_SEED"];
  const seed = given === undefined || given === "" ? randomInt(2 ** 31) : Number(given);
  console.log(
    `chaos seed ${seed}: SALLYPORT_CHAOS_SEED=${seed} repeats these faults in this order`,
  );
  const lines: string[] = [];
  const report = await runChaos({ seed, say: (line) => void lines.push(line) }).finally(() =>
    console.log(lines.join("\n")),
  );
  console.log(summaryOf(report.history));
  const none = Object.fromEntries(Object.keys(report.violations).map((claim) => [claim, []]));
  expect(report.violations).toEqual(none);
}, 300_000);
