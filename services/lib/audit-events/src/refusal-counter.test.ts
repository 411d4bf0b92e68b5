import { AsyncLocalStorage } from "node:async_hooks";
import { newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Refusal, type Tally, type TallyOptions, createTally } from "./refusal-counter.ts";

const minute = 60_000;
let recorded: Event[];
let lines: string[];
let away: boolean;
let tally: Tally;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  recorded = [];
  lines = [];
  away = false;
  tally = start();
});
afterEach(async () => {
  await tally[Symbol.asyncDispose]();
  vi.useRealTimers();
});

function start(options?: TallyOptions): Tally {
  const logger = createLogger({
    service: "gateway",
    stream: { write: (line) => void lines.push(line) },
  });
  return createTally(
    async (events) => {
      if (away) throw new Error("the log is away");
      recorded.push(...events);
    },
    logger,
    options,
  );
}

function recordOf(sourceIp: string, count: number): Event {
  const detail = { count: String(count) };
  return newEvent("gateway", "request.rejected", {
    actorKind: ActorKind.UNKNOWN,
    sourceIp,
    detail,
  });
}

const from = (address: string, more: Partial<Refusal> = {}): Refusal => ({
  group: "strangers",
  kind: address,
  rest: "REQUEST_REJECTED",
  record: (count) => recordOf(address, count),
  restRecord: (count) => recordOf("", count),
  ...more,
});

const counts = () => recorded.map(({ sourceIp, detail }) => `${sourceIp} ${detail["count"]}`);
const total = () => recorded.reduce((sum, { detail }) => sum + Number(detail["count"]), 0);
const ended = (windows = 1) => vi.advanceTimersByTimeAsync(windows * minute);

async function noteMany(refusals: readonly Refusal[]): Promise<void> {
  await Promise.all(refusals.map((refusal) => tally.note(refusal)));
}

test("the first is recorded at once, the others in one record when the window ends", async () => {
  await noteMany(Array.from({ length: 1000 }, () => from("192.0.2.1")));
  expect(counts()).toEqual(["192.0.2.1 1"]);
  await ended();
  expect(counts()).toEqual(["192.0.2.1 1", "192.0.2.1 999"]);
});

test("one that goes on has one record a window, one that paused begins anew", async () => {
  for (let window = 0; window < 3; window += 1) {
    await noteMany(Array.from({ length: 10 }, () => from("192.0.2.1")));
    await ended();
  }
  expect(counts()).toEqual(["192.0.2.1 1", "192.0.2.1 9", "192.0.2.1 10", "192.0.2.1 10"]);
  await ended();
  await tally.note(from("192.0.2.1"));
  expect(counts().slice(4)).toEqual(["192.0.2.1 1"]);
});

test("the record has the particulars of the last", async () => {
  for (const client of ["one", "two", "three"])
    await tally.note(from("192.0.2.1", { record: (count) => recordOf(client, count) }));
  await ended();
  expect(counts()).toEqual(["one 1", "three 2"]);
});

test("kinds without a place are counted by the rest, and no refusal is uncounted", async () => {
  await noteMany(Array.from({ length: 5000 }, (_, n) => from(`10.0.${n >> 8}.${n & 255}`)));
  await noteMany(Array.from({ length: 70 }, (_, n) => from(`10.9.0.${n}`, { rest: "CLOCK_SKEW" })));
  expect(recorded).toHaveLength(52);
  await ended();
  expect(recorded).toHaveLength(54);
  expect(counts().slice(-2)).toEqual([" 4949", " 69"]);
  expect(total()).toBe(5070);
});

test("however long a flood lasts, it makes about a record a minute for each place", async () => {
  let noted = 0;
  const kinds = Array.from({ length: 300 }, (_, n) => `10.1.${n >> 8}.${n & 255}`);
  for (let window = 0; window < 10; window += 1) {
    const before = recorded.length;
    await noteMany(kinds.flatMap((address) => [from(address), from(address)]));
    noted += 2 * kinds.length;
    await ended();
    expect(recorded.length - before).toBeLessThanOrEqual(window === 0 ? 102 : 51);
  }
  await ended();
  expect(total()).toBe(noted);
});

test("a flood in one group takes no place in another", async () => {
  await noteMany(Array.from({ length: 500 }, (_, n) => from(`10.0.${n >> 8}.${n & 255}`)));
  await tally.note(from("192.0.2.1", { group: "principals" }));
  expect(counts()).toContain("192.0.2.1 1");
});

test("what is still counted is recorded when it stops", async () => {
  await noteMany(Array.from({ length: 3 }, () => from("192.0.2.1")));
  await tally[Symbol.asyncDispose]();
  expect(counts()).toEqual(["192.0.2.1 1", "192.0.2.1 2"]);
});

test("while the sink is away refusals wait for it, and nobody for them", async () => {
  away = true;
  await noteMany(Array.from({ length: 10 }, () => from("192.0.2.1")));
  await noteMany([from("192.0.2.2"), from("192.0.2.3")]);
  await ended();
  expect(recorded).toEqual([]);
  expect(lines.filter((line) => line.includes("records of refusals wait"))).toHaveLength(1);
  away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(counts().toSorted()).toEqual(["192.0.2.1 1", "192.0.2.1 9", "192.0.2.2 1", "192.0.2.3 1"]);
  expect(lines.join("")).toContain("refusals are recorded again");
});

test("no more than a thousand records wait; the log is told how many were given up", async () => {
  away = true;
  await tally[Symbol.asyncDispose]();
  tally = start({ capacity: 2_000 });
  await noteMany(Array.from({ length: 1_500 }, (_, n) => from(`10.0.${n >> 8}.${n & 255}`)));
  await vi.advanceTimersByTimeAsync(5_000);
  away = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(recorded).toHaveLength(1_000);
  const lost = lines.flatMap((line) => /"records":(\d+).*were not recorded/.exec(line)?.[1] ?? []);
  expect(lost.reduce((sum, records) => sum + Number(records), 0)).toBe(500);
});

test("what cannot be recorded when it stops is told", async () => {
  away = true;
  await tally.note(from("192.0.2.1"));
  await tally[Symbol.asyncDispose]();
  expect(lines.join("")).toMatch(/"records":1.*were not recorded/);
});

test("recording does not end by the deadline of the call that was refused", async () => {
  const calls = new AsyncLocalStorage<string>();
  let seen: string | undefined = "none";
  const logger = createLogger({ service: "gateway", level: "silent" });
  await using other = createTally(async () => void (seen = calls.getStore()), logger);
  await calls.run("a call", () => other.note(from("192.0.2.1")));
  expect(seen).toBeUndefined();
});
