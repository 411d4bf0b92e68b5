import {
  currentPlace,
  currentTraceparent,
  inCallersTrace,
  inSpan,
  startTelemetry,
} from "@sallyport/telemetry";
import { startCollector } from "@sallyport/test/infra";
import { expect, test } from "vitest";
import { createQueue } from "./queue.ts";

function recording(
  batchSize: number,
  failing: (batch: readonly number[]) => boolean = () => false,
) {
  const batches: number[][] = [];
  const queue = createQueue<number, number>({
    capacity: 100,
    batchSize,
    async write(items) {
      batches.push([...items]);
      await new Promise((resolve) => setImmediate(resolve));
      if (failing(items)) throw new Error("not written");
      return items.map((item) => item * 10);
    },
  });
  return { batches, queue };
}

test("calls that arrive meanwhile share the next batch, in order, and are not split", async () => {
  const { batches, queue } = recording(3);
  const results = await Promise.all([
    queue.add([1]),
    queue.add([2, 3]),
    queue.add([4, 5]),
    queue.add([6]),
  ]);
  expect(results).toEqual([[10], [20, 30], [40, 50], [60]]);
  expect(batches).toEqual([[1], [2, 3], [4, 5, 6]]);
});

test("a call larger than a batch is a batch of its own", async () => {
  const { batches, queue } = recording(2);
  await Promise.all([queue.add([1, 2, 3]), queue.add([4])]);
  expect(batches).toEqual([[1, 2, 3], [4]]);
});

test("a failure reaches the calls of its batch only, and frees their places", async () => {
  const { queue } = recording(1, (batch) => batch.includes(1));
  const settled = await Promise.allSettled([queue.add([1]), queue.add([2])]);
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  await queue.idle();
  expect(await queue.add(Array.from({ length: 100 }, () => 3))).toHaveLength(100);
});

test("how many wait or are being written is known", async () => {
  const { queue } = recording(2);
  const added = [queue.add([1, 2]), queue.add([3])];
  expect(queue.size()).toBe(3);
  await Promise.all(added);
  await queue.idle();
  expect(queue.size()).toBe(0);
});

test("a batch is written in the trace of its first call that is recorded, and in none where none is", async () => {
  await using collector = await startCollector();
  await using _ = await startTelemetry({ service: "audit", otlpUrl: collector.url });
  const written: (string | undefined)[] = [];
  const queue = createQueue<string, string>({
    capacity: 100,
    batchSize: 2,
    async write(items) {
      written.push(currentPlace().sampled ? currentTraceparent()?.slice(3, 35) : undefined);
      await new Promise((resolve) => setImmediate(resolve));
      return items;
    },
  });
  const call = (item: string, trace: string, flag: "00" | "01") =>
    inCallersTrace(`00-${trace}-b7ad6b7169203331-${flag}`, () =>
      inSpan({ name: "append", kind: "server" }, () => queue.add([item])),
    );
  const [one, two, three] = ["1", "2", "3"].map((digit) => digit.repeat(32)) as [
    string,
    string,
    string,
  ];
  await Promise.all([
    call("a", one, "01"),
    call("b", two, "00"),
    call("c", three, "01"),
    call("d", two, "00"),
  ]);
  expect(written).toEqual([one, three, undefined]);
});
