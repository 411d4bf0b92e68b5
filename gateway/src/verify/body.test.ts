import { setTimeout as sleep } from "node:timers/promises";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { expect, test, vi } from "vitest";
import { type ContentStream, createContentBudget, maxBodyBytes, readBody } from "./body.ts";

type Chunk = Uint8Array | number;

/** A content of chunks; a number is a pause in milliseconds. `taken` counts what was read. */
function content(chunks: readonly Chunk[], given: Partial<ContentStream> = {}) {
  const seen = { taken: 0 };
  const stream: ContentStream = {
    headers: {},
    rawTrailers: [],
    async *[Symbol.asyncIterator]() {
      for (const chunk of chunks) {
        if (typeof chunk === "number") await sleep(chunk);
        else {
          seen.taken += chunk.length;
          yield chunk;
        }
      }
    },
    ...given,
  };
  return { stream, seen };
}

const plenty = createContentBudget(Number.MAX_SAFE_INTEGER);
const kilobytes = (count: number) => new Uint8Array(count * 1024);

test("joins the chunks", async () => {
  const { stream } = content([Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)]);
  expect([...(await readBody(stream, 1000, plenty))]).toEqual([1, 2, 3]);
});

test("takes exactly the limit and not a byte more", async () => {
  const { stream } = content([new Uint8Array(maxBodyBytes)]);
  expect(await readBody(stream, 1000, plenty)).toHaveLength(maxBodyBytes);
  const { stream: more } = content([new Uint8Array(maxBodyBytes), Uint8Array.of(1)]);
  await expect(readBody(more, 1000, plenty)).rejects.toMatchObject({
    reason: Reason.TOO_LARGE,
    metadata: { limit_bytes: "1048576" },
  });
});

test("reads nothing of a content that says to be too large, and not on in one that is", async () => {
  const said = content([kilobytes(1)], { headers: { "content-length": String(maxBodyBytes + 1) } });
  await expect(readBody(said.stream, 1000, plenty)).rejects.toMatchObject({ reason: Reason.TOO_LARGE });
  expect(said.seen.taken).toBe(0);
  const endless = content(Array.from({ length: 1000 }, () => kilobytes(64)));
  await expect(readBody(endless.stream, 1000, plenty)).rejects.toMatchObject({ reason: Reason.TOO_LARGE });
  expect(endless.seen.taken).toBeLessThanOrEqual(maxBodyBytes + 64 * 1024);
});

test("waits for the whole content and not for each chunk", async () => {
  const trickle = content(Array.from({ length: 50 }, (_, at) => (at % 2 ? 20 : kilobytes(1))));
  await expect(readBody(trickle.stream, 100, plenty)).rejects.toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "body", description: "the content did not arrive in time" },
  });
  expect(trickle.seen.taken).toBeLessThan(25 * 1024);
});

test("refuses trailers", async () => {
  const { stream } = content([kilobytes(1)], { rawTrailers: ["x-late", "1"] });
  await expect(readBody(stream, 1000, plenty)).rejects.toMatchObject({
    reason: Reason.FIELD_INVALID,
    metadata: { field: "trailer", description: "it is not accepted" },
  });
});

test("takes from the budget what it keeps, and refuses when there is none left", async () => {
  const budget = createContentBudget(3 * 1024);
  await readBody(content([kilobytes(2)]).stream, 1000, budget);
  const second = () => readBody(content([kilobytes(2)]).stream, 1000, budget);
  await expect(second()).rejects.toMatchObject({ reason: Reason.RATE_LIMITED, retryAfterMs: 1000 });
  budget.give(2 * 1024);
  expect(await second()).toHaveLength(2048);
});

test("takes its time for a content that comes slowly, but within it", async () => {
  const { stream } = content([kilobytes(1), 30, kilobytes(1), 30, kilobytes(1)]);
  expect(await readBody(stream, 5000, plenty)).toHaveLength(3072);
});

test("leaves no timer behind", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    await readBody(content([kilobytes(1), kilobytes(1)]).stream, 1000, plenty);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("is of bytes and nothing else", async () => {
  const { stream } = content([], {
    async *[Symbol.asyncIterator]() {
      yield "text";
    },
  });
  await expect(readBody(stream, 1000, plenty)).rejects.toThrow(
    new TypeError("the request stream gave something other than bytes"),
  );
});

test("a budget can be used up to its last byte, and counts", () => {
  const budget = createContentBudget(10);
  budget.take(10);
  expect(budget.used()).toBe(10);
  expect(() => budget.take(1)).toThrow(expect.objectContaining({ reason: Reason.RATE_LIMITED }));
  budget.give(4);
  expect(budget.used()).toBe(6);
});
