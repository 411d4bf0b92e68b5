import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { type RepeatOptions, backoffMs, done, repeat } from "./repeat.ts";

function task(run: RepeatOptions["run"]) {
  const logged: string[] = [];
  const logger = {
    info: (...given: unknown[]) => void logged.push(String(given.at(-1))),
    warn: (...given: unknown[]) => void logged.push(String(given.at(-1))),
  };
  const log = { logger, failed: "failed", recovered: "recovered" };
  const backoff = { firstMs: 5, longestMs: 20 };
  return { options: { run, everyMs: 20, backoff, log }, logged };
}

test("a task runs at once and again, and after its disposal no more", async () => {
  let runs = 0;
  const { options } = task(async () => void (runs += 1));
  const repeated = repeat(options);
  expect(runs).toBe(1);
  await expect.poll(() => runs).toBeGreaterThan(2);
  await repeated[Symbol.asyncDispose]();
  const then = runs;
  await pause(60);
  expect(runs).toBe(then);
});

test("a delayed task waits for its first run", async () => {
  let runs = 0;
  const { options } = task(async () => void (runs += 1));
  await using _repeated = repeat({ ...options, delayed: true });
  expect(runs).toBe(0);
  await expect.poll(() => runs).toBeGreaterThan(0);
});

test("a task that is done is not run again", async () => {
  let runs = 0;
  const { options } = task(async () => {
    runs += 1;
    return runs === 2 ? done : undefined;
  });
  await using _repeated = repeat({ ...options, everyMs: 1 });
  await pause(60);
  expect(runs).toBe(2);
});

test("asynchronous disposal waits for the run under way and tells it", async () => {
  const gate = Promise.withResolvers<void>();
  let finished = false;
  let told: AbortSignal | undefined;
  const { options } = task(async (signal) => {
    told = signal;
    await gate.promise;
    finished = true;
  });
  const disposed = repeat(options)[Symbol.asyncDispose]();
  expect(told?.aborted).toBe(true);
  gate.resolve();
  await disposed;
  expect(finished).toBe(true);
});

test("disposal does not wait, and what then fails is not logged", async () => {
  const gate = Promise.withResolvers<never>();
  const { options, logged } = task(() => gate.promise);
  repeat(options)[Symbol.dispose]();
  gate.reject(new Error("away"));
  await pause(10);
  expect(logged).toEqual([]);
});

test("retries come further apart with each failure, up to the longest pause", async () => {
  const times: number[] = [];
  const { options } = task(() => {
    times.push(performance.now());
    return Promise.reject(new Error("away"));
  });
  await using _repeated = repeat({ ...options, backoff: { firstMs: 50, longestMs: 200 } });
  await expect.poll(() => times.length).toBeGreaterThan(4);
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  for (const [at, ms] of [50, 100, 200, 200].entries())
    expect(gaps[at]).toBeGreaterThanOrEqual(ms - 5);
});

test("jitter lengthens and shortens a pause", async () => {
  for (const [random, leastMs, mostMs] of [
    [0, 0, 90],
    [0.999, 150, 1_000],
  ] as const) {
    const times: number[] = [];
    const { options } = task(async () => void times.push(performance.now()));
    const jittered = { ...options, everyMs: 100, jitter: 0.9, random: () => random };
    await using _repeated = repeat(jittered);
    await expect.poll(() => times.length).toBeGreaterThan(1);
    const gap = (times[1] ?? 0) - (times[0] ?? 0);
    expect(gap).toBeGreaterThanOrEqual(leastMs);
    expect(gap).toBeLessThan(mostMs);
  }
});

test("failures are logged once and tried again until one succeeds", async () => {
  let runs = 0;
  const { options, logged } = task(async () => {
    runs += 1;
    if (runs < 4) throw new Error("away");
  });
  await using _repeated = repeat(options);
  await expect.poll(() => runs).toBeGreaterThan(4);
  expect(logged).toEqual(["failed", "recovered"]);
});

test("the backoff doubles from the first pause up to the longest", () => {
  const pauses = [1, 2, 3, 4, 5].map((n) => backoffMs(n, { firstMs: 20, longestMs: 100 }));
  expect(pauses).toEqual([20, 40, 80, 100, 100]);
});
