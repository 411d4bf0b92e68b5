import { type ServerHttp2Session, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { startForwarder } from "@sallyport/test/infra";
import { afterEach, expect, test } from "vitest";
import { toSallyportError } from "../../core/errors.ts";
import { openConnection } from "./connection.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

const pings = { pingIntervalMs: 150, pingTimeoutMs: 150 };

/** A connection, over a forwarder, to a server that answers /now, /later and nothing else. */
async function opened() {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer((request, response) => {
    if (request.url === "/now") response.end("here");
    if (request.url === "/later") setTimeout(() => response.end("here"), 300);
  });
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const forwarder = await startForwarder((server.address() as AddressInfo).port);
  const url = `http://127.0.0.1:${forwarder.port}`;
  const connection = openConnection({ url }, { pings });
  stops.push(
    () => server.close(),
    () => sessions.forEach((session) => session.destroy()),
    () => forwarder[Symbol.asyncDispose](),
    () => connection.close(),
  );
  const ask = async (path = "/now", signal?: AbortSignal): Promise<string> => {
    const request = { method: "POST", url: url + path, header: new Headers() };
    const answer = await connection.send({ ...request, ...(signal ? { signal } : {}) });
    return text(answer.body);
  };
  return { ask, forwarder };
}

test("a connection that works is used again", async () => {
  const { ask, forwarder } = await opened();
  for (let n = 0; n < 3; n += 1) expect(await ask()).toBe("here");
  await sleep(2 * pings.pingIntervalMs);
  expect(await ask()).toBe("here");
  expect(forwarder.connections()).toBe(1);
});

test("one that was idle and lost in silence is found out by a ping, and another made", async () => {
  const { ask, forwarder } = await opened();
  expect(await ask()).toBe("here");
  forwarder.silence();
  await sleep(2 * pings.pingIntervalMs);
  expect(await ask()).toBe("here");
  expect(forwarder.connections()).toBe(2);
});

test("one that is lost below a request fails it as what may be tried again, and is replaced", async () => {
  const { ask, forwarder } = await opened();
  expect(await ask()).toBe("here");
  forwarder.silence();
  const failure = await ask().catch(toSallyportError);
  expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "CLOSED" } });
  // At once, while the lost session has not yet said that it ended.
  expect(await ask()).toBe("here");
  expect(forwarder.connections()).toBe(2);
});

test("one on which a request timed out takes no further ones, and those on it go on", async () => {
  const { ask, forwarder } = await opened();
  const waiting = ask("/later");
  await expect(ask("/never", AbortSignal.timeout(50))).rejects.toThrow();
  expect(await ask()).toBe("here");
  expect(forwarder.connections()).toBe(2);
  expect(await waiting).toBe("here");
});

test("one whose request was called off stays", async () => {
  const { ask, forwarder } = await opened();
  const stop = new AbortController();
  const called = ask("/never", stop.signal).catch(() => "called off");
  setTimeout(() => stop.abort(), 50);
  expect(await called).toBe("called off");
  expect(await ask()).toBe("here");
  expect(forwarder.connections()).toBe(1);
});
