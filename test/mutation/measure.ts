import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Area } from "./areas.ts";
import { type Mutant, instrument } from "./instrument.ts";
import type { Finding } from "./judge.ts";
import type { Line, Outcome } from "./lines.ts";

/** How long a test process may be silent before the mutant that it runs is taken to hang it. */
const silenceMs = 60_000;

/**
 * Mutates an area of a copied tree and finds out which mutants its tests notice. Throws when they
 * fail unmutated.
 */
export async function measure(dir: string, { mutate, tests }: Area): Promise<Finding[]> {
  const mutants = await instrument(dir, mutate);
  const files = tests.flatMap((glob) => globSync(glob, { cwd: dir }));
  const outcomes = new Map<string, Outcome>();
  for (let hanging: string | undefined = ""; hanging !== undefined;) {
    const open = mutants
      .map(({ id }) => id)
      .filter((id) => (outcomes.get(id) ?? "survived") === "survived");
    hanging = await runTests(dir, files, open, outcomes);
    if (hanging !== undefined) outcomes.set(hanging, "timeout");
  }
  return mutants.map((mutant) => ({ ...mutant, outcome: outcomes.get(mutant.id) ?? "uncovered" }));
}

/** Runs the tests for the open mutants; returns the one that hung them, if one did. */
async function runTests(
  dir: string,
  files: readonly string[],
  open: readonly Mutant["id"][],
  outcomes: Map<string, Outcome>,
): Promise<string | undefined> {
  const openFile = join(dir, "mutants.json");
  const linesFile = join(dir, `lines-${open.length}-${Date.now()}`);
  writeFileSync(openFile, JSON.stringify(open));
  writeFileSync(linesFile, "");
  const vitest = spawn(
    join(dir, "node_modules/.bin/vitest"),
    ["run", "--config", "test/mutation/vitest.config.ts", "--reporter=dot", ...files],
    {
      cwd: dir,
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        SALLYPORT_MUTATION_OPEN: openFile,
        SALLYPORT_MUTATION_LINES: linesFile,
      },
    },
  );
  const hung = await endOrSilence(vitest, linesFile);
  let running: string | undefined;
  for (const line of linesOf(linesFile)) {
    if ("broken" in line) throw new Error(`${line.broken} fails without a mutant: ${line.why}`);
    if ("started" in line) running = line.started;
    else if (outcomes.get(line.id) !== "killed") outcomes.set(line.id, line.outcome);
  }
  return hung ? running : undefined;
}

async function endOrSilence(vitest: ChildProcess, linesFile: string): Promise<boolean> {
  const ended = once(vitest, "exit").then(() => true);
  for (;;) {
    if (await Promise.race([ended, sleep(5_000, false)])) return false;
    if (Date.now() - statSync(linesFile).mtimeMs < silenceMs) continue;
    vitest.kill();
    await ended;
    return true;
  }
}

function linesOf(file: string): Line[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}
