import { type ServerHttp2Session, createSecureServer } from "node:http2";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestEdge, createTestEdge, startConnectProxy } from "@sallyport/test/infra";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { toSallyportError } from "../../core/errors.ts";
import { openConnection } from "./connection.ts";

// No name server knows it: what reaches it went by way of the proxy.
const name = "gateway.invalid";
let edge: TestEdge;
let url: string;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  edge = await createTestEdge([name]);
});
beforeEach(async () => {
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer({ cert: edge.cert, key: edge.key }, (request, response) => {
    request.pipe(response);
  });
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(
    () => server.close(),
    () => sessions.forEach((session) => session.destroy()),
  );
  url = `https://${name}:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

type Manners = Parameters<typeof startConnectProxy>[0];

async function proxied(manners: Manners = {}, credentials = "") {
  const proxy = await startConnectProxy(manners);
  stops.push(() => proxy[Symbol.asyncDispose]());
  return { proxy, env: { HTTPS_PROXY: `http://${credentials}127.0.0.1:${proxy.port}` } };
}

function open(env: NodeJS.ProcessEnv, ca = edge.ca) {
  const connection = openConnection(
    { url, ca },
    { env, pings: { pingIntervalMs: 300, pingTimeoutMs: 300 } },
  );
  stops.push(() => connection.close());
  return async (body = "hello"): Promise<string> => {
    const content = (async function* () {
      yield Buffer.from(body);
    })();
    const header = new Headers();
    const answer = await connection.send({ method: "POST", url, header, body: content });
    return text(answer.body);
  };
}

test("requests go over one tunnel, which the proxy was asked for by name and port", async () => {
  const { proxy, env } = await proxied();
  const ask = open(env);
  expect(await ask()).toBe("hello");
  const large = "x".repeat(3 * 1024 * 1024);
  expect(await ask(large)).toBe(large);
  expect(await Promise.all(["a", "b", "c"].map(ask))).toEqual(["a", "b", "c"]);
  expect(proxy.asked).toEqual([new URL(url).host]);
});

test("with NO_PROXY they go directly", async () => {
  const { proxy, env } = await proxied();
  const failure = await open({ ...env, NO_PROXY: name })().catch(toSallyportError);
  expect(failure).toMatchObject({ reason: "UNREACHABLE" });
  expect(proxy.asked).toEqual([]);
});

test("user and password are shown to the proxy, and it says when they are wrong", async () => {
  const authorization = `Basic ${Buffer.from("ada:se cret").toString("base64")}`;
  const { proxy, env } = await proxied({ authorization }, "ada:se%20cret@");
  expect(await open(env)()).toBe("hello");
  expect(proxy.asked).toEqual([`${new URL(url).host} ${authorization}`]);
  const wrong = await open({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` })().catch(
    toSallyportError,
  );
  expect(wrong).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "PROXY_407" } });
  expect(String(wrong)).toMatch(/127\.0\.0\.1:\d+ \(HTTPS_PROXY\) answered HTTP 407/);
});

test.each([
  [403, "PROXY_403"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
])(
  "a proxy that answers %i is named, with what may pass told from what may not",
  async (status, cause) => {
    const { env } = await proxied({ status });
    const failure = await open(env)().catch(toSallyportError);
    expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause } });
    expect(String(failure)).toContain(`answered HTTP ${status}`);
  },
);

test("a server that is no proxy, and none at all, are told from a gateway that is away", async () => {
  const server = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const closes = await open({ HTTPS_PROXY: `http://127.0.0.1:${port}` })().catch(toSallyportError);
  expect(closes).toMatchObject({ reason: "UNREACHABLE" });
  expect(String(closes)).toContain(`the proxy 127.0.0.1:${port} (HTTPS_PROXY)`);
  const absent = await open({ https_proxy: "http://127.0.0.1:1" })().catch(toSallyportError);
  expect(absent).toMatchObject({ reason: "UNREACHABLE", metadata: { cause: "ECONNREFUSED" } });
  expect(String(absent)).toContain("the proxy 127.0.0.1:1 (https_proxy) does not answer");
});

test("the gateway's certificate counts, not the proxy's word", async () => {
  const { env } = await proxied();
  const other = await createTestEdge([name]);
  const failure = await open(env, other.ca)().catch(toSallyportError);
  expect(failure).toMatchObject({ reason: "UNREACHABLE" });
  expect(String(failure)).toMatch(/certificate/);
});

test("a tunnel that was lost in silence is given up like a direct connection", async () => {
  const { proxy, env } = await proxied();
  const ask = open(env);
  expect(await ask()).toBe("hello");
  proxy.silence();
  await sleep(400);
  expect(await ask()).toBe("hello");
  expect(proxy.asked).toHaveLength(2);
});
