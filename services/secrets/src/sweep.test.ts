import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { startSweep } from "./sweep.ts";

function options(run: () => Promise<void>) {
  const logged: string[] = [];
  const log = (...told: unknown[]) => void logged.push(String(told[1]));
  const logger = { info: log, warn: log };
  return { options: { what: "test", run, everyMs: 20, retryMs: 5, logger }, logged };
}

test("a sweep runs at once and again, and after its disposal no more", async () => {
  let runs = 0;
  const { options: given } = options(async () => void (runs += 1));
  const sweep = startSweep(given);
  expect(runs).toBe(1);
  await expect.poll(() => runs).toBeGreaterThan(2);
  await sweep[Symbol.asyncDispose]();
  const then = runs;
  await pause(60);
  expect(runs).toBe(then);
});

test("disposal waits for a run under way", async () => {
  const gate = Promise.withResolvers<void>();
  let done = false;
  const { options: given } = options(async () => {
    await gate.promise;
    done = true;
  });
  const disposed = startSweep(given)[Symbol.asyncDispose]();
  gate.resolve();
  await disposed;
  expect(done).toBe(true);
});

test("tries come further apart with each failure, and never further than what is usual", async () => {
  const times: number[] = [];
  const { options: given } = options(() => {
    times.push(performance.now());
    return Promise.reject(new Error("away"));
  });
  await using _sweep = startSweep({ ...given, everyMs: 200, retryMs: 50 });
  await expect.poll(() => times.length).toBeGreaterThan(4);
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  for (const [at, ms] of [50, 100, 200, 200].entries())
    expect(gaps[at]).toBeGreaterThanOrEqual(ms - 5);
});

test("failures are logged once and tried again until one succeeds", async () => {
  let runs = 0;
  const { options: given, logged } = options(async () => {
    runs += 1;
    if (runs < 4) throw new Error("away");
  });
  await using _sweep = startSweep(given);
  await expect.poll(() => runs).toBeGreaterThan(4);
  expect(logged).toEqual(["a sweep failed; it is tried again", "a sweep works again"]);
});
