import { setTimeout as sleep } from "node:timers/promises";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type TestServer, goodRequest, keys, startTestServer } from "./testing/servers.ts";
import { type PeerConnection, inCall, peerOf, requestIdOf } from "./index.ts";
import { beginCall, remainingMs } from "./call.ts";

type Seen = {
  readonly peer: string;
  readonly requestId: string;
  readonly timeoutMs: number | undefined;
};

let pki: TestPki;
let last: TestServer;
let middle: TestServer;
let toLast: PeerConnection;
let toMiddle: PeerConnection;
let seenByMiddle: Seen[];
let seenByLast: Seen[];
let afterwards: PromiseWithResolvers<unknown> | undefined;

const seenIn = (context: HandlerContext): Seen => ({
  peer: peerOf(context),
  requestId: requestIdOf(context),
  timeoutMs: context.timeoutMs(),
});

beforeAll(async () => {
  pki = await createTestPki();
  const any = {
    callers: {
      resolveKeys: ["gateway", "secrets"],
      watchRevocations: ["gateway"],
      reportSightings: ["gateway"],
    },
  } as const;
  last = await startTestServer(
    pki,
    { resolveKeys: (_, context) => (seenByLast.push(seenIn(context)), {}) },
    any,
  );
  toLast = last.connect(pki.tls("secrets"));
  middle = await startTestServer(
    pki,
    {
      resolveKeys: async (_, context) => {
        seenByMiddle.push(seenIn(context));
        const call = () => keys(toLast.transport).resolveKeys(goodRequest);
        if (afterwards) setTimeout(() => afterwards?.resolve(call()), 30);
        return keys(toLast.transport).resolveKeys(goodRequest);
      },
      watchRevocations: async function* (_, context) {
        seenByMiddle.push(seenIn(context));
        yield {};
        await keys(toLast.transport).resolveKeys(goodRequest);
        yield {};
      },
    },
    any,
  );
  toMiddle = middle.connect(pki.tls("gateway"));
});
beforeEach(() => ([seenByMiddle, seenByLast] = [[], []]));
afterAll(async () => {
  for (const part of [toMiddle, toLast, middle, last, pki]) await part[Symbol.asyncDispose]();
});

test("request id and deadline of a call reach what is called for it", async () => {
  await keys(toMiddle.transport).resolveKeys(goodRequest, { timeoutMs: 800 });
  const [outer] = seenByMiddle;
  const [inner] = seenByLast;
  expect(outer?.peer).toBe("gateway");
  expect(inner?.peer).toBe("secrets");
  expect(outer?.requestId).toMatch(/^req_/);
  expect(inner?.requestId).toBe(outer?.requestId);
  expect(inner?.timeoutMs).toBeLessThanOrEqual(800);
});

test("a call has five seconds when nobody says otherwise, and never more than what is left", async () => {
  await keys(toMiddle.transport).resolveKeys(goodRequest);
  expect(seenByMiddle[0]?.timeoutMs).toBeGreaterThan(4_000);
  expect(seenByMiddle[0]?.timeoutMs).toBeLessThanOrEqual(5_000);
  seenByLast = [];
  await inCall({ requestId: "req_00000000000000000000", timeoutMs: 700 }, () =>
    keys(toLast.transport).resolveKeys(goodRequest, { timeoutMs: 60_000 }),
  );
  expect(seenByLast[0]?.timeoutMs).toBeLessThanOrEqual(700);
  expect(seenByLast[0]?.requestId).toBe("req_00000000000000000000");
});

test("without time left no call is made", async () => {
  const late = inCall({ requestId: "req_00000000000000000000", timeoutMs: 5 }, async () => {
    await sleep(15);
    return keys(toLast.transport).resolveKeys(goodRequest);
  });
  await expect(late).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  expect(seenByLast).toEqual([]);
});

test("a timer that outlives the call keeps its id and loses its deadline", async () => {
  afterwards = Promise.withResolvers();
  await keys(toMiddle.transport).resolveKeys(goodRequest, { timeoutMs: 800 });
  await afterwards.promise;
  afterwards = undefined;
  expect(seenByLast[1]?.requestId).toBe(seenByMiddle[0]?.requestId);
  expect(seenByLast[1]?.timeoutMs).toBeGreaterThan(4_000);
});

test("each step of a stream belongs to its call, and has no deadline", async () => {
  for await (const _ of keys(toMiddle.transport).watchRevocations({}));
  expect(seenByMiddle[0]?.timeoutMs).toBeUndefined();
  expect(seenByLast[0]?.requestId).toBe(seenByMiddle[0]?.requestId);
  expect(seenByLast[0]?.timeoutMs).toBeGreaterThan(4_000);
});

test("a request id that is none of ours is replaced", async () => {
  await keys(toLast.transport).resolveKeys(goodRequest, {
    headers: { "sallyport-request-id": "x\tlevel=fatal" },
  });
  expect(seenByLast[0]?.requestId).toMatch(/^req_[0-9a-z]{20}$/);
});

test("calls side by side do not mix", async () => {
  const left = async (timeoutMs: number) => {
    const call = beginCall({ requestId: "req_1", timeoutMs });
    return call.run(async () => {
      await sleep(5);
      return remainingMs() ?? 0;
    });
  };
  const [short, long] = await Promise.all([left(1_000), left(10_000)]);
  expect(short).toBeLessThan(1_000);
  expect(long).toBeGreaterThan(9_000);
});
