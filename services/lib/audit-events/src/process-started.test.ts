import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { ruleOf } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { afterAll, expect, test, vi } from "vitest";
import type { Sink } from "./event-sink.ts";
import { type Start, reportStart, startedEvent } from "./process-started.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-started-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const manifest = pathToFileURL(join(dir, "package.json"));
writeFileSync(manifest, JSON.stringify({ name: "a-process", version: "7.8.9" }));

const start: Start = {
  emitter: "crypto",
  config: {
    listen: { host: "127.0.0.1" },
    trustDomain: "sallyport.example",
    publicNames: ["sallyport.example:443", "localhost:8443"],
    clockWindowSeconds: 60,
    rootFingerprint: "fingerprint-of-the-root",
  },
  port: 9104,
  keysetEpoch: 3,
  manifest,
  own: { kek_fingerprint: "00ff" },
};

test("says who serves where, and with which configuration", () => {
  const event = startedEvent(start);
  expect(event).toMatchObject({
    action: "process.started",
    actorKind: ActorKind.SERVICE,
    actorId: "crypto",
    vaultId: "",
    detail: {
      version: "7.8.9",
      node: process.version,
      listen: "127.0.0.1:9104",
      trust_domain: "sallyport.example",
      public_names: "sallyport.example:443,localhost:8443",
      clock_window_seconds: "60",
      keyset_epoch: "3",
      root_fingerprint: "fingerprint-of-the-root",
      kek_fingerprint: "00ff",
    },
  });
  expect(
    Object.keys(event.detail).every((key) => ruleOf("process.started")?.detail.includes(key)),
  ).toBe(true);
});

test("two starts are two instances", () => {
  expect(startedEvent(start).detail["instance"]).not.toBe(startedEvent(start).detail["instance"]);
});

const retryMs = 10;
const pause = () => sleep(10 * retryMs);

function reporting(failures: number) {
  const given: Event[] = [];
  const lines: string[] = [];
  const logger = createLogger({
    service: "crypto",
    stream: { write: (line) => void lines.push(line) },
  });
  const sink: Sink = async (events) => {
    given.push(...events);
    if (given.length <= failures) throw new Error("the log is away");
  };
  return { given, lines, reported: reportStart(start, sink, logger, retryMs) };
}

test("is given once to a sink that takes it", async () => {
  const { given, lines, reported } = reporting(0);
  await pause();
  expect([given.length, lines.length]).toEqual([1, 0]);
  reported[Symbol.dispose]();
});

test("is given again until the sink takes it, the same event; the log says so, once each", async () => {
  const { given, lines, reported } = reporting(3);
  await vi.waitFor(() => expect(given).toHaveLength(4));
  await pause();
  expect(given).toHaveLength(4);
  expect(new Set(given.map(({ eventId }) => eventId)).size).toBe(1);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain("the start is not on record yet");
  expect(lines[1]).toContain("the start is on record");
  reported[Symbol.dispose]();
});

test("is given up when the process stops", async () => {
  const { given, reported } = reporting(1000);
  await vi.waitFor(() => expect(given.length).toBeGreaterThan(1));
  reported[Symbol.dispose]();
  const count = given.length;
  await pause();
  expect(given).toHaveLength(count);
});
