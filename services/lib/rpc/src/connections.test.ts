import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  constants,
  createSecureServer,
} from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { goodRequest, keys } from "./testing/servers.ts";
import { type PeerConnection, connectPeer } from "./index.ts";

const mebibyte = 1024 * 1024;
const large = { keyIds: ["k".repeat(mebibyte)] };
const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR } = constants;

let pki: TestPki;
beforeAll(async () => void (pki = await createTestPki()));
afterAll(() => pki[Symbol.asyncDispose]());

// A peer that does to its streams and sessions what no server of ours does.
let server: Http2SecureServer;
let sessions: ServerHttp2Session[];
let onSession: (session: ServerHttp2Session) => void;
let onStream: (stream: ServerHttp2Stream) => void;
let peer: PeerConnection;

beforeEach(async () => {
  const { certFile, keyFile, caFile } = pki.tls("identity");
  const [cert, key, ca] = [certFile, keyFile, caFile].map((file) => readFileSync(file));
  if (!cert || !key || !ca) throw new Error("a file is missing");
  server = createSecureServer({ cert, key, ca, requestCert: true, maxSessionMemory: 1_000 });
  sessions = [];
  onSession = () => undefined;
  onStream = answer;
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => undefined);
    onSession(session);
  });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    onStream(stream);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  peer = connect();
});
afterEach(async () => {
  peer.close();
  for (const session of sessions) session.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function connect(): PeerConnection {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const url = `https://localhost:${address.port}`;
  return connectPeer({
    peer: "identity",
    url,
    tls: pki.tls("gateway"),
    trustDomain: pki.trustDomain,
  });
}

/** Answers once it has the whole request, like a server of ours. */
function answer(stream: ServerHttp2Stream): void {
  stream.resume();
  stream.once("end", () => {
    if (stream.destroyed) return;
    stream.respond({ ":status": 200, "content-type": "application/proto" });
    stream.end();
  });
}

const call = (request = goodRequest, timeoutMs = 5_000): Promise<string> =>
  keys(peer.transport)
    .resolveKeys(request, { timeoutMs })
    .then(
      () => "answered",
      (error: unknown) => Code[ConnectError.from(error).code],
    );

/** Calls until one is answered, for as long as the backoff can last. */
const again = async (): Promise<void> => {
  await expect.poll(() => call(), { interval: 10, timeout: 1_500 }).toBe("answered");
};

test("a deadline cuts no call: the peer gets each whole, the session stays as it was", async () => {
  let read = 0;
  onStream = (stream) => {
    stream.on("data", (chunk: Buffer) => (read += chunk.length)).pause();
    setTimeout(() => answer(stream), 150); // Nothing of it is read while its caller waits.
  };
  const outcomes = await Promise.all(Array.from({ length: 24 }, () => call(large, 20)));
  expect(new Set(outcomes)).toEqual(new Set(["DeadlineExceeded"]));
  await expect.poll(() => read, { timeout: 10_000 }).toBeGreaterThan(24 * mebibyte);
  onStream = answer;
  expect(await call()).toBe("answered");
  expect(sessions).toHaveLength(1);
});

test("a caller's signal ends its wait and not its call", async () => {
  let read = 0;
  onStream = (stream) => {
    setTimeout(() => {
      stream.on("data", (chunk: Buffer) => (read += chunk.length));
      answer(stream);
    }, 50);
  };
  const gone = new AbortController();
  const waiting = keys(peer.transport).resolveKeys(large, { signal: gone.signal });
  setTimeout(() => gone.abort(), 20);
  await expect(waiting).rejects.toMatchObject({ code: Code.Canceled });
  await expect.poll(() => read, { timeout: 10_000 }).toBeGreaterThan(mebibyte);
});

test("contents that a peer resets in their midst cost no other call its answer", async () => {
  const slow = Promise.withResolvers<ServerHttp2Stream>();
  onStream = (stream) => slow.resolve(stream);
  const inFlight = call();
  const waiting = await slow.promise;
  onStream = (stream) => void setTimeout(() => stream.close(NGHTTP2_CANCEL), 100);
  await Promise.all(Array.from({ length: 40 }, () => call(large)));
  answer(waiting); // On the session that has lost 40 MiB, four times Node's own limit.
  expect(await inFlight).toBe("answered");
});

test("a session that lost memory to contents that were reset is replaced", async () => {
  onStream = (stream) => void setTimeout(() => stream.close(NGHTTP2_CANCEL), 50);
  await Promise.all(Array.from({ length: 7 }, () => call(large)));
  onStream = answer;
  expect(await call()).toBe("answered");
  expect(sessions).toHaveLength(1);
  onStream = (stream) => void setTimeout(() => stream.close(NGHTTP2_CANCEL), 50);
  await call(large);
  onStream = answer;
  expect(await call()).toBe("answered");
  expect(sessions).toHaveLength(2);
  await expect.poll(() => sessions[0]?.closed).toBe(true); // Nothing is in flight on it.
});

test.each([
  ["asks to calm down", NGHTTP2_ENHANCE_YOUR_CALM],
  ["has a fault", NGHTTP2_INTERNAL_ERROR],
])("a session that %s is replaced, and a call in flight on it finishes", async (_, code) => {
  const slow = Promise.withResolvers<ServerHttp2Stream>();
  onStream = (stream) => slow.resolve(stream);
  const inFlight = call();
  const waiting = await slow.promise;
  onStream = (stream) => (sessions.length === 1 ? stream.close(code) : answer(stream));
  expect(await call()).not.toBe("answered");
  await again();
  expect(sessions).toHaveLength(2);
  answer(waiting);
  expect(await inFlight).toBe("answered");
});

test.each([
  ["says goodbye", (session: ServerHttp2Session) => session.goaway(NGHTTP2_ENHANCE_YOUR_CALM)],
  ["closes", (session: ServerHttp2Session) => session.close()],
  ["breaks", (session: ServerHttp2Session) => session.destroy()],
])("a session that %s is replaced", async (_, end) => {
  expect(await call()).toBe("answered");
  const [first] = sessions;
  if (!first) throw new Error("there is no session");
  end(first);
  await again();
  await again();
  expect(sessions).toHaveLength(2);
});

test("a peer that breaks every session is not hammered, and served as soon as it is well", async () => {
  onSession = (session) => session.destroy();
  const sinceMs = performance.now();
  for (let calls = 0; calls < 100; calls += 1) {
    expect(await call()).not.toBe("answered");
    await sleep(2);
  }
  // The delays before the first seven sessions add up to 1.26 seconds; then there is one a second.
  const most = 8 + (performance.now() - sinceMs) / 1_000;
  expect(sessions.length).toBeLessThan(most);
  onSession = () => undefined;
  await again();
});
