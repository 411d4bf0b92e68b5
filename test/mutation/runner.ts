import { appendFileSync, readFileSync } from "node:fs";
import { type RunnerTask, type RunnerTestFile, TestRunner, vi } from "vitest";
import { startTests } from "vitest/internal/browser";
import type { Line, Outcome } from "./lines.ts";

/** What the switches in instrumented code look at; the names are the instrumenter's. */
type Switches = {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  mutantCoverage?: {
    static: Record<string, number>;
    perTest: Record<string, Record<string, number>>;
  };
};

/**
 * A mutant that is switched on so many times as often as its place was reached without it goes
 * round in circles.
 */
const hitFactor = 10;
const leastHits = 1000;
/** After so many mutants that tests noticed, the tests must pass again without any. */
const batch = 25;

const scope = globalThis as typeof globalThis & { __stryker__?: Switches };
const switches: Switches = (scope.__stryker__ ??= {});
const { SALLYPORT_MUTATION_OPEN: openFile = "", SALLYPORT_MUTATION_LINES: linesFile = "" } =
  process.env;
const open = new Set<unknown>(JSON.parse(readFileSync(openFile, "utf8")) as unknown[]);

/**
 * Runs a test file as it is and notes which mutants it reaches, then once more for each of them in
 * the same process, up to the first test that fails. Modules are loaded again only for mutants in
 * code that runs while they load.
 */
export default class MutationRunner extends TestRunner {
  /** The mutants that code reaches while it loads, which is before any test. */
  #loading: ReadonlySet<string> = new Set();
  /**
   * The tests by the mutants that they reach; mutants that are reached outside of any test are
   * absent.
   */
  #tests: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** How often the place of each mutant was reached. */
  #hits: ReadonlyMap<string, number> = new Map();

  onBeforeCollect(): void {
    vi.resetModules();
    switches.mutantCoverage = { static: {}, perTest: {} };
  }

  onBeforeRunFiles(): void {
    this.#loading = new Set(Object.keys(switches.mutantCoverage?.static ?? {}));
  }

  override async onBeforeRunTask(
    test: Parameters<TestRunner["onBeforeRunTask"]>[0],
  ): Promise<void> {
    switches.currentTestId = test.id;
    await super.onBeforeRunTask(test);
  }

  override onAfterRunTask(test: Parameters<TestRunner["onAfterRunTask"]>[0]): void {
    super.onAfterRunTask(test);
    switches.currentTestId = undefined;
  }

  // The base class says void, its caller waits.
  // oxlint-disable-next-line typescript/no-misused-promises
  override async onAfterRunFiles(files: RunnerTestFile[]): Promise<void> {
    super.onAfterRunFiles(files);
    for (const file of files) {
      const { mutants, tests, hits } = reached();
      this.#tests = tests;
      this.#hits = hits;
      if (failureOf(file) === undefined) await this.#runMutants(file.filepath, mutants);
      else write({ broken: file.name, why: failureOf(file) ?? "" });
    }
  }

  async #runMutants(file: string, mutants: readonly string[]): Promise<void> {
    let noticed: string[] = [];
    for (const id of mutants) {
      write({ started: id });
      const { outcome, by } = await this.#outcomeOf(file, id);
      write({ id, outcome, by });
      if (outcome !== "survived") noticed.push(id);
      if (noticed.length === batch) noticed = await this.#prove(file, noticed);
    }
    await this.#prove(file, noticed);
  }

  // A mutant may leave something behind that fails the tests of the next ones. Then each is asked
  // again by itself.
  async #prove(file: string, noticed: readonly string[]): Promise<string[]> {
    if ((await this.#run(file, undefined)).outcome === "survived") return [];
    for (const id of noticed) {
      vi.resetModules();
      write({ id, ...(await this.#run(file, id)) });
    }
    vi.resetModules();
    const { outcome, by } = await this.#run(file, undefined);
    if (outcome !== "survived") write({ broken: file, why: `after mutants: ${by}` });
    return [];
  }

  async #outcomeOf(file: string, id: string): Promise<Found> {
    const found = await this.#run(file, id);
    if (found.outcome !== "survived" || !this.#loading.has(id)) return found;
    vi.resetModules();
    const anew = await this.#run(file, id);
    vi.resetModules();
    return anew;
  }

  async #run(file: string, id: string | undefined): Promise<Found> {
    const runner = silentRunner(this, id === undefined ? undefined : this.#tests.get(id));
    const hitLimit = leastHits + hitFactor * (this.#hits.get(id ?? "") ?? 0);
    Object.assign(switches, { activeMutant: id, hitCount: 0, hitLimit });
    try {
      const [result] = await startTests([file], runner);
      const by = result ? failureOf(result) : "the file was not run";
      return by === undefined ? { outcome: "survived", by: "" } : { outcome: outcomeOf(by), by };
    } finally {
      switches.activeMutant = undefined;
    }
  }
}

type Found = { readonly outcome: Outcome; readonly by: string };

/**
 * The same runner, telling nobody what it finds, running some tests only, and stopping at the first
 * failure.
 */
function silentRunner(outer: TestRunner, chosen: ReadonlySet<string> | undefined): TestRunner {
  const silent = {
    onBeforeCollect: () => undefined,
    onCollectStart: () => undefined,
    onCollected: () => undefined,
    onBeforeRunFiles: () => undefined,
    onAfterRunFiles: () => undefined,
    onTaskUpdate: () => Promise.resolve(),
    cancelRun: false,
    onAfterRunTask(test: RunnerTask) {
      if (test.result?.state === "fail") silent.cancelRun = true;
    },
    onBeforeRunTask(test: RunnerTask) {
      if (silent.cancelRun || chosen?.has(test.id) === false) test.mode = "skip";
    },
  };
  return Object.setPrototypeOf(silent, outer) as TestRunner;
}

function reached() {
  const { static: outside = {}, perTest = {} } = switches.mutantCoverage ?? {};
  const tests = new Map<string, Set<string>>();
  const hits = new Map(Object.entries(outside));
  for (const [test, counts] of Object.entries(perTest)) {
    for (const [id, count] of Object.entries(counts)) {
      tests.set(id, (tests.get(id) ?? new Set<string>()).add(test));
      hits.set(id, (hits.get(id) ?? 0) + count);
    }
  }
  for (const id of Object.keys(outside)) tests.delete(id);
  return { mutants: [...hits.keys()].filter((id) => open.has(id)), tests, hits };
}

function failureOf(task: RunnerTask): string | undefined {
  const inner =
    "tasks" in task
      ? task.tasks.map(failureOf).find((failure) => failure !== undefined)
      : undefined;
  if (inner !== undefined || task.result?.state !== "fail") return inner;
  return `${task.name}: ${task.result.errors?.[0]?.message ?? "failed"}`;
}

function outcomeOf(failure: string): Outcome {
  return /timed out in \d+ms|Hit count limit reached/.test(failure) ? "timeout" : "killed";
}

function write(line: Line): void {
  if ("outcome" in line && line.outcome !== "survived") open.delete(line.id);
  appendFileSync(linesFile, `${JSON.stringify(line)}\n`);
}
