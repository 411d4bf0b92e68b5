/** Sums up a run: `node test/sum.ts passed|failed RESULT.json...`. The checks count as one test. */
import { readFileSync } from "node:fs";

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** A file that failed outside its tests, or a project without a report, is a failure too. */
function readCounts(file: string): Counts {
  try {
    const report: unknown = JSON.parse(readFileSync(file, "utf8"));
    const failed = numberIn(report, "numFailedTests");
    const brokenRun = failed === 0 && !(isRecord(report) && report["success"] === true) ? 1 : 0;
    const skipped = numberIn(report, "numPendingTests") + numberIn(report, "numTodoTests");
    return { passed: numberIn(report, "numPassedTests"), failed: failed + brokenRun, skipped };
  } catch (error) {
    console.error(`no result in ${file}:`, error);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function numberIn(report: unknown, key: string): number {
  const value = isRecord(report) ? report[key] : undefined;
  if (typeof value !== "number") throw new Error(`the report has no ${key}`);
  return value;
}

const [check, ...files] = process.argv.slice(2);
const checkCounts: Counts = {
  passed: check === "passed" ? 1 : 0,
  failed: check === "passed" ? 0 : 1,
  skipped: 0,
};
const all = [checkCounts, ...files.map(readCounts)];
const total = (key: keyof Counts): number => all.reduce((sum, counts) => sum + counts[key], 0);
const [passed, failed, skipped] = [total("passed"), total("failed"), total("skipped")];
if (check !== "passed") console.log("npm run check failed: see above");
if (skipped > 0) console.log(`${skipped} skipped: each says why above`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
