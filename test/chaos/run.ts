import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startDeployment } from "../system/deployment.ts";
import { checks } from "./checks.ts";
import { asSuperuser } from "./database.ts";
import { fetchKeys, runClients } from "./clients.ts";
import { readEndState } from "./end-state.ts";
import { type Fault, oneRound } from "./faults.ts";
import { type History, type Injected, createHistory } from "./history.ts";
import { createRandom } from "./random.ts";
import {
  type Recovery,
  isBack,
  lateRecoveries,
  recoveryHead,
  recoveryLine,
  recoveryOf,
} from "./recovery.ts";
import { createRestarter } from "./restarter.ts";
import { mountSmallDisk } from "./small-disk.ts";
import { stockUp } from "./stock.ts";
import { disturbWiring } from "./wiring.ts";

/**
 * What to do. Everything about the faults follows from the seed; without minutes there is one
 * round.
 */
export type ChaosOptions = {
  readonly seed: number;
  readonly minutes?: number | undefined;
  /** Only faults whose name contains this. */
  readonly only?: string | undefined;
  /** Where the deployment's data is to be, and to stay; a temporary directory unless given. */
  readonly data?: string | undefined;
  readonly say: (line: string) => void;
};

/** What came of it. */
export type ChaosReport = {
  readonly history: History;
  readonly recoveries: readonly Recovery[];
  /** Sentences by claim; a claim without any held. */
  readonly violations: Readonly<Record<string, readonly string[]>>;
};

const readers = 3;
/**
 * How long a fault that is not over is waited for; longer than the claim, so that the table can say
 * by how much.
 */
const patienceMs = 30_000;

/** Runs the clients, injects the faults, and checks the whole history. */
export async function runChaos({
  seed,
  minutes,
  only = "",
  data,
  say,
}: ChaosOptions): Promise<ChaosReport> {
  const random = createRandom(seed);
  const history = createHistory();
  const dir = data ?? mkdtempSync(join(tmpdir(), "sp-chaos-data-"));
  await using stack = new AsyncDisposableStack();
  if (data === undefined) stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const mounted = mountSmallDisk();
  const disk = typeof mounted === "string" ? undefined : stack.use(mounted);
  if (typeof mounted === "string") say(mounted);
  const disturbed = stack.use(await disturbWiring());
  const restarter = createRestarter();
  const { settings } = disturbed;
  const deployment = stack.use(
    await startDeployment(dir, {}, { settings, onEnd: restarter.onEnd }),
  );
  const { system, endpoint } = deployment;
  restarter.serve(system);
  stack.use(restarter);
  await disk?.takeLog(system);
  // As a deployment that has been up for minutes has done: its first recovery would redo how the
  // databases were made.
  await asSuperuser(system, (client) => client.query("checkpoint"));
  const stock = await stockUp(deployment, history, readers);
  stack.defer(() => stock.admin.close());

  const stop = new AbortController();
  const keys = await fetchKeys(stock.verifier);
  const load = {
    endpoint,
    stock,
    keys,
    history,
    random: createRandom(~seed),
    stopped: stop.signal,
    captured: [],
  };
  const clients = runClients(load);
  await sleep(1000);
  const parts = { system, disturbed, disk, random };
  const until = performance.now() + (minutes ?? 0) * 60_000;
  const recoveries: Recovery[] = [];
  say(recoveryHead);
  do {
    for (const fault of oneRound(parts).filter(({ name }) => name.includes(only))) {
      const recovery = await inject(fault, history);
      recoveries.push(recovery);
      say(recoveryLine(recovery));
      if (minutes !== undefined && performance.now() > until) break;
    }
  } while (performance.now() < until);
  stop.abort();
  await clients;
  const end = await readEndState(system, stock);
  const found = Object.entries(checks).map(
    ([claim, check]) => [claim, check(history, end)] as const,
  );
  const late = lateRecoveries(recoveries);
  return {
    history,
    recoveries,
    violations: { ...Object.fromEntries(found), "everything is back in 10 s": late },
  };
}

async function inject(fault: Fault, history: History): Promise<Recovery> {
  const beganMs = performance.now();
  fault.begin();
  await sleep(fault.lastsMs);
  fault.end();
  const injected: Injected = { name: fault.name, beganMs, endedMs: performance.now() };
  if (fault.wrongClocks) history.wrongClocks.push(injected);
  for (;;) {
    await sleep(100);
    const recovery = recoveryOf(history, injected);
    if (isBack(recovery) || performance.now() - injected.endedMs > patienceMs) return recovery;
  }
}
