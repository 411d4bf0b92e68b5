import { PassThrough, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test, vi } from "vitest";
import { createContentMemory } from "../limits/content-memory.ts";
import { type ContentBounds, type ContentStream, contentBounds, readBody } from "./body.ts";

type Chunk = Uint8Array | number | string;

/** A content of chunks; a number is a pause in milliseconds. `taken` counts what was read. */
function content(
  chunks: readonly Chunk[],
  given: Partial<Pick<ContentStream, "headers" | "rawTrailers">> = {},
) {
  const seen = { taken: 0 };
  async function* flow() {
    for (const chunk of chunks) {
      if (typeof chunk === "number") await sleep(chunk);
      else {
        seen.taken += chunk.length;
        yield chunk;
      }
    }
  }
  const stream: ContentStream = Object.assign(Readable.from(flow()), {
    headers: {},
    rawTrailers: [],
    ...given,
  });
  return { stream, seen };
}

const limit = 16 * 1024;
const bounds: ContentBounds = contentBounds(limit);
const plenty = { take: () => undefined };
const kilobytes = (count: number) => new Uint8Array(count * 1024);
const tooSlow = {
  reason: Reason.FIELD_INVALID,
  metadata: { field: "body", description: "the content comes too slowly" },
};

test("joins the chunks", async () => {
  const { stream } = content([Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)]);
  expect([...(await readBody(stream, bounds, plenty))]).toEqual([1, 2, 3]);
});

test("takes exactly the bound and not a byte more", async () => {
  const { stream } = content([new Uint8Array(limit)], {
    headers: { "content-length": String(limit) },
  });
  expect(await readBody(stream, bounds, plenty)).toHaveLength(limit);
  const { stream: more } = content([new Uint8Array(limit), Uint8Array.of(1)]);
  await expect(readBody(more, bounds, plenty)).rejects.toMatchObject({
    reason: Reason.TOO_LARGE,
    metadata: { limit_bytes: "16384" },
  });
});

test("reads nothing of a content that says to be too large", async () => {
  const said = content([kilobytes(1)], { headers: { "content-length": String(limit + 1) } });
  await expect(readBody(said.stream, bounds, plenty)).rejects.toMatchObject({
    reason: Reason.TOO_LARGE,
  });
  expect(said.seen.taken).toBe(0);
});

test("keeps nothing of a content once it is refused, however much comes", async () => {
  let taken = 0;
  const memory = { take: (bytes: number) => void (taken += bytes) };
  const endless = content(Array.from({ length: 1000 }, () => kilobytes(4)));
  await expect(readBody(endless.stream, bounds, memory)).rejects.toMatchObject({
    reason: Reason.TOO_LARGE,
  });
  endless.stream.resume();
  await expect.poll(() => endless.seen.taken).toBe(4000 * 1024);
  expect(taken).toBe(limit);
});

test("refuses a content that trickles, after the grace", async () => {
  const trickle = content(Array.from({ length: 100 }, (_, at) => (at % 2 ? 20 : Uint8Array.of(1))));
  const begunMs = performance.now();
  const slow = { ...bounds, graceMs: 100 };
  await expect(readBody(trickle.stream, slow, plenty)).rejects.toMatchObject(tooSlow);
  expect(performance.now() - begunMs).toBeLessThan(800);
  expect(trickle.seen.taken).toBeGreaterThan(1);
});

test("refuses a content that stops in its midst", async () => {
  const stopped = content([kilobytes(1), 60_000]);
  const slow = { ...bounds, graceMs: 50, leastBytesPerSecond: 10 * 1024 };
  await expect(readBody(stopped.stream, slow, plenty)).rejects.toMatchObject(tooSlow);
  stopped.stream.destroy();
});

test("gives a content that keeps to the least rate its time", async () => {
  const { stream } = content([kilobytes(4), 60, kilobytes(4), 60, kilobytes(4), 60, kilobytes(4)]);
  const slow = { ...bounds, graceMs: 100, leastBytesPerSecond: 40 * 1024 };
  expect(await readBody(stream, slow, plenty)).toHaveLength(limit);
});

test("is given up when the client goes away", async () => {
  const stream = Object.assign(new PassThrough(), { headers: {}, rawTrailers: [] });
  stream.write(kilobytes(1));
  const reading: unknown = readBody(stream, bounds, plenty).catch(String);
  stream.destroy();
  expect(await reading).toBe("Error: the client went away");
});

test("refuses trailers", async () => {
  const { stream } = content([kilobytes(1)], { rawTrailers: ["x-late", "1"] });
  await expect(readBody(stream, bounds, plenty)).rejects.toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "trailer", description: "it is not accepted" },
  });
});

test("takes from the memory what it keeps, and refuses when there is none left", async () => {
  const memory = createContentMemory(16 * 3 * 1024).open("192.0.2.1");
  await readBody(content([kilobytes(2)]).stream, bounds, memory);
  await expect(readBody(content([kilobytes(2)]).stream, bounds, memory)).rejects.toMatchObject({
    reason: Reason.RATE_LIMITED,
    retryAfterMs: 1000,
  });
});

test("leaves no timer and no listener behind", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    for (const chunks of [[kilobytes(1)], [kilobytes(17)]]) {
      const { stream } = content(chunks);
      await readBody(stream, bounds, plenty).catch(() => undefined);
      expect(vi.getTimerCount()).toBe(0);
      expect(stream.listenerCount("data")).toBe(0);
    }
  } finally {
    vi.useRealTimers();
  }
});
