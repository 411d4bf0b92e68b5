import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  catalogue,
  counter,
  exposeMetrics,
  histogram,
  observe,
  prometheusName,
  startTelemetry,
} from "./index.ts";

/** The lines that show a metric. */
async function shown(name: string): Promise<string[]> {
  const lines = (await exposeMetrics()).split("\n");
  return lines.filter((line) => line.startsWith(name) || line.startsWith(`# TYPE ${name} `));
}

test("names follow Prometheus: the unit in the name, a counter as a total", () => {
  expect(prometheusName("rpc.server.call.duration")).toBe("rpc_server_call_duration_seconds");
  expect(prometheusName("process.cpu.time")).toBe("process_cpu_time_seconds_total");
  expect(prometheusName("process.memory.usage")).toBe("process_memory_usage_bytes");
  expect(prometheusName("sallyport.secret.reads")).toBe("sallyport_secret_reads_total");
  expect(prometheusName("db.client.connection.count")).toBe("db_client_connection_count");
});

test("what is counted is shown as it is named, from zero on", async () => {
  const reads = counter("sallyport.secret.reads");
  reads({ sealed: "false" }, 0);
  reads({ sealed: "true" });
  reads({ sealed: "true" }, 3);
  expect(await shown("sallyport_secret_reads_total")).toEqual([
    "# TYPE sallyport_secret_reads_total counter",
    'sallyport_secret_reads_total{sealed="false"} 0',
    'sallyport_secret_reads_total{sealed="true"} 4',
  ]);
});

test("a distribution has the bounds that the catalogue names", async () => {
  histogram("sallyport.audit.batch.size")(7, {});
  const lines = await shown("sallyport_audit_batch_size");
  const { bounds } = catalogue["sallyport.audit.batch.size"];
  expect(lines.filter((line) => line.includes("_bucket"))).toEqual(
    [...bounds, "+Inf"].map(
      (le) => `sallyport_audit_batch_size_bucket{le="${le}"} ${Number(le) < 7 ? 0 : 1}`,
    ),
  );
  expect(lines).toContain("sallyport_audit_batch_size_sum 7");
});

test("what is observed is looked at with every look; a look that fails shows no number, and costs no other metric", async () => {
  let pending = 1;
  let away = true;
  using _fine = observe("sallyport.audit.queue.max", () => [{ value: 9, labels: {} }]);
  using _pending = observe("sallyport.outbox.pending", async () => {
    if (away) throw new Error("the database is away");
    return [{ value: pending, labels: {} }];
  });
  const name = "sallyport_outbox_pending ";
  expect(await shown(name)).toEqual([]);
  away = false;
  expect(await shown(name)).toEqual([`${name}1`]);
  pending = 2;
  expect(await shown(name)).toEqual([`${name}2`]);
  away = true;
  expect(await shown(name)).toEqual([`${name}NaN`]);
  expect(await shown("sallyport_audit_queue_max ")).toEqual(["sallyport_audit_queue_max 9"]);
});

test("what is gone is not asked any more", async () => {
  let asked = 0;
  const looked = observe("sallyport.audit.queue.length", () => {
    asked += 1;
    return [];
  });
  await exposeMetrics();
  looked[Symbol.dispose]();
  await exposeMetrics();
  expect(asked).toBe(1);
});

test("what never answers costs that metric and three seconds, not the look", async () => {
  using _stuck = observe("sallyport.outbox.pending", () => new Promise(() => undefined));
  using _fine = observe("sallyport.audit.queue.max", () => [{ value: 9, labels: {} }]);
  const begunMs = performance.now();
  expect(await shown("sallyport_audit_queue_max ")).toEqual(["sallyport_audit_queue_max 9"]);
  expect(performance.now() - begunMs).toBeLessThan(4000);
});

test("a process shows its processor time, its memory and the delay of its event loop", async () => {
  await using _ = await startTelemetry({ service: "policy", otlpUrl: undefined });
  await sleep(100);
  const blockedUntilMs = performance.now() + 200;
  while (performance.now() < blockedUntilMs);
  await sleep(50);
  const text = await exposeMetrics();
  const valueOf = (name: string): number =>
    Number(new RegExp(`^${name.replaceAll(/[{}]/g, "\\$&")} (.+)$`, "m").exec(text)?.[1]);
  expect(valueOf('process_cpu_time_seconds_total{cpu_mode="user"}')).toBeGreaterThan(0.1);
  expect(valueOf("process_memory_usage_bytes")).toBeGreaterThan(10_000_000);
  expect(valueOf("v8js_memory_heap_used_bytes")).toBeGreaterThan(1_000_000);
  const [max, p99, mean] = ["max", "p99", "mean"].map((what) =>
    valueOf(`nodejs_eventloop_delay_${what}_seconds`),
  );
  expect(max).toBeGreaterThan(0.15);
  expect(max).toBeLessThan(5);
  expect(p99).toBeGreaterThan(0);
  expect(mean).toBeGreaterThan(0);
  // Each look is about the time since the last one.
  await exposeMetrics();
  expect(await shown("nodejs_eventloop_delay_max_seconds ")).not.toEqual([
    `nodejs_eventloop_delay_max_seconds ${max}`,
  ]);
});

test("an event loop that is not delayed shows no delay", async () => {
  await using _ = await startTelemetry({ service: "policy", otlpUrl: undefined });
  const mean = async (): Promise<number> => {
    await sleep(200);
    const [line] = await shown("nodejs_eventloop_delay_mean_seconds ");
    return Number(line?.split(" ")[1]);
  };
  await expect.poll(mean, { timeout: 5_000 }).toBeLessThan(0.01);
});
