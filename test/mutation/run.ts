/**
 * Mutates areas and judges what their tests notice: `npm run mutation [-- AREA...]`; all areas
 * unless some are named.
 */
import { join } from "node:path";
import { setup } from "../infra/global-setup.ts";
import { type Area, areas } from "./areas.ts";
import { type Finding, judge, leastScore } from "./judge.ts";
import { measure } from "./measure.ts";
import { copyTree } from "./tree.ts";

function report(area: Area, findings: readonly Finding[], seconds: number): boolean {
  const { counts, score, unexplained, stale, stands } = judge(findings, area.survivors);
  for (const { file, line, code, change, outcome } of unexplained)
    console.log(`${outcome}: ${file}:${line}\n  ${code}\n  ${change}`);
  for (const { file, code, change } of stale)
    console.log(`listed, but does not survive: ${file}\n  ${code}\n  ${change}`);
  const figures = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`);
  console.log(
    `${area.name}: ${findings.length} mutants, ${figures.join(", ")}; score ${(score * 100).toFixed(1)} % ` +
      `(least ${leastScore * 100} %), ${area.survivors.length} survivors explained, ${seconds} s: ${stands ? "stands" : "FAILS"}`,
  );
  return stands;
}

async function run(area: Area): Promise<boolean> {
  const start = performance.now();
  using tree = copyTree(join(import.meta.dirname, "../.."));
  const findings = await measure(tree.dir, area);
  return report(area, findings, Math.round((performance.now() - start) / 1000));
}

const names = process.argv.slice(2);
const chosen = names.length === 0 ? areas : areas.filter(({ name }) => names.includes(name));
if (chosen.length < names.length)
  throw new Error(`areas: ${areas.map(({ name }) => name).join(", ")}`);

// One Postgres and one Redis for all of it: a test runner that is killed for its time could not
// stop its own.
const servers = new Map<string, string>();
const stop = await setup({ provide: (name, value) => void servers.set(name, value) });
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void stop().finally(() => process.exit(1)));
try {
  process.env["SALLYPORT_TEST_DATABASE_URL"] = servers.get("databaseUrl");
  process.env["SALLYPORT_TEST_REDIS_URL"] = servers.get("redisUrl");
  for (const area of chosen) if (!(await run(area))) process.exitCode = 1;
} finally {
  await stop();
}
