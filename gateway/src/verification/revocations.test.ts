import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { fail } from "@sallyport/rpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestTrust } from "../testing/keys.ts";
import { type TestPeers, createTestPeers } from "../testing/peers.ts";
import { watchRevocations } from "./revocations.ts";

const trust = createTestTrust();
const times = { silenceMs: 150, reconnectMs: 20 };
let peers: TestPeers;
let heard: string[];
let watch: Disposable | undefined;

beforeEach(() => {
  peers = createTestPeers(trust);
  heard = [];
});
afterEach(() => watch?.[Symbol.dispose]());

function start(): void {
  const identity = createClient(KeyService, peers.transports.keys);
  const listener = {
    setWatched: (watched: boolean) => void heard.push(watched ? "watched" : "lost"),
    forget: (ids: readonly string[]) => void heard.push(...ids),
  };
  watch = watchRevocations(identity, listener, times);
}

test("passes on who was revoked, and that it hears", async () => {
  peers.steps.watchRevocations = async function* (_request, { signal }) {
    yield {};
    yield { principalIds: ["mch_1", "usr_2"] };
    await sleep(60_000, undefined, { signal });
  };
  start();
  await expect.poll(() => heard).toEqual(["watched", "watched", "mch_1", "usr_2"]);
});

test("says that it is lost when the stream ends or fails, and opens another", async () => {
  let streams = 0;
  peers.steps.watchRevocations = async function* () {
    streams += 1;
    yield {};
    if (streams === 1) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  };
  start();
  await expect.poll(() => heard.slice(0, 4)).toEqual(["watched", "lost", "watched", "lost"]);
});

test("says that it is lost when the stream falls silent", async () => {
  peers.steps.watchRevocations = async function* (_request, { signal }) {
    yield {};
    await sleep(60_000, undefined, { signal });
  };
  start();
  await expect.poll(() => heard.slice(0, 3)).toEqual(["watched", "lost", "watched"]);
});

test("takes heartbeats for a stream that lives", async () => {
  peers.steps.watchRevocations = async function* (_request, { signal }) {
    for (;;) {
      yield {};
      await sleep(50, undefined, { signal });
    }
  };
  start();
  await sleep(400);
  expect(heard.length).toBeGreaterThan(5);
  expect(heard).not.toContain("lost");
});

test("stops when it is disposed", async () => {
  let streams = 0;
  peers.steps.watchRevocations = async function* () {
    streams += 1;
    yield {};
  };
  start();
  await expect.poll(() => streams).toBeGreaterThan(1);
  watch?.[Symbol.dispose]();
  const before = streams;
  await sleep(100);
  expect(streams - before).toBeLessThanOrEqual(1);
});

test("waits for seconds, unless told otherwise", async () => {
  peers.steps.watchRevocations = async function* (_request, { signal }) {
    yield {};
    await sleep(60_000, undefined, { signal });
  };
  const identity = createClient(KeyService, peers.transports.keys);
  const listener = {
    setWatched: (watched: boolean) => void heard.push(String(watched)),
    forget: () => undefined,
  };
  watch = watchRevocations(identity, listener);
  await expect.poll(() => heard).toEqual(["true"]);
  await sleep(300);
  expect(heard).toEqual(["true"]);
});
