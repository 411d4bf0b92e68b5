import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTls } from "node:tls";
import { createConnectRouter } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { createBuckets } from "@sallyport/rate-limit";
import { fail } from "@sallyport/rpc";
import { createLogger, exposeMetrics } from "@sallyport/telemetry";
import { type TestPki, createTestPki, seriesOf } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Timeouts, openListener } from "../listener/listener.ts";
import type { Authenticate } from "../admission/authenticate.ts";
import { methodPath } from "@sallyport/proto/names/method-path";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const path = methodPath(ReadService.method.readSecrets);
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL } = constants;
const steady = () => performance.now();
const logger = createLogger({ service: "gateway", level: "silent" });
const plenty = () => createBuckets({ perSecond: 10_000, burst: 10_000 }, steady);
const refuseAll: Authenticate = (_request, _path, call) =>
  Promise.resolve({
    ...call,
    kind: "refused",
    error: fail(Reason.REQUEST_REJECTED),
    principalId: undefined,
  });

type Edge = { readonly port: number; readonly ca: string };

/** Opens an edge that refuses every request. */
async function start(
  perAddress: number,
  timeouts: Partial<Timeouts> = {},
): Promise<Edge & AsyncDisposable> {
  const { handlers } = createConnectRouter({ grpcWeb: false }).service(ReadService, {});
  const edge = await openListener({
    listen: { host: "127.0.0.1", port: 0 },
    certificate: pki.edge,
    connections: { perAddress, opened: plenty(), proxies: [] },
    handlers: new Map(handlers.map((handler) => [handler.requestPath, handler])),
    authenticate: refuseAll,
    addresses: plenty(),
    logger,
    timeouts,
    openRequestsPerAddress: perAddress,
  });
  const ca = readFileSync(pki.edge.caFile, "utf8");
  return { port: edge.port, ca, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() };
}

/** A session from an address of this machine that opens no window for its answers. */
function sessionFrom({ port, ca }: Edge, localAddress: string): ClientHttp2Session {
  const options = { ca, settings: { initialWindowSize: 0 }, localAddress, family: 4 };
  return connect(`https://localhost:${port}`, options as object).on("error", () => undefined);
}

/** Begins a request. */
function begin(session: ClientHttp2Session, asked = path): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": asked,
    "content-type": "application/json",
  });
  return stream.on("error", () => undefined).end("{}");
}

/**
 * What becomes of a stream: the status of an answer whose content nobody reads, or why it was
 * reset.
 */
function fateOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.once("response", ({ ":status": status }) => resolve(`status ${status}`));
    stream.once("close", () => resolve(`reset ${stream.rstCode}`));
  });
}

const series = async () => seriesOf(await exposeMetrics());
const refused = async () =>
  (await series()).get('sallyport_limit_requests_total{limit="open_requests",outcome="refused"}') ??
  0;
const unread = "status 501";
const tooMany = `reset ${NGHTTP2_REFUSED_STREAM}`;

test("one address has so many open requests; one too many is given back undone, others have theirs", async () => {
  await using edge = await start(4);
  const before = await refused();
  const stranger = sessionFrom(edge, "127.0.0.66");
  const streams = Array.from({ length: 6 }, () => begin(stranger));
  const fates = await Promise.all(streams.map(fateOf));
  expect(fates.toSorted()).toEqual([tooMany, tooMany, unread, unread, unread, unread]);
  expect(await refused()).toBe(before + 2);
  const again = sessionFrom(edge, "127.0.0.66");
  expect(await fateOf(begin(again))).toBe(tooMany);
  const other = sessionFrom(edge, "127.0.0.67");
  expect(await fateOf(begin(other))).toBe(unread);
  stranger.destroy();
  await expect.poll(() => fateOf(begin(again))).toBe(unread);
  for (const session of [again, other]) session.destroy();
});

test("requests that are sent one behind the other over HTTP/1.1 count, and end their connection", async () => {
  await using edge = await start(4);
  const { port, ca } = edge;
  const before = await refused();
  const from = { host: "127.0.0.1", port, localAddress: "127.0.0.66" };
  const send = async (times: number) => {
    const socket = connectTls({ ...from, ca, servername: "localhost" } as object);
    socket.on("error", () => undefined).resume();
    await once(socket, "secureConnect");
    socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(times));
    return socket;
  };
  await once(await send(6), "close");
  expect(await refused()).toBeGreaterThan(before);
  // What waited behind the first was given back with the connection.
  const other = await send(3);
  await once(other, "data");
  const session = sessionFrom(edge, "127.0.0.66");
  await expect.poll(() => fateOf(begin(session))).toBe(unread);
  for (const connection of [other, session]) connection.destroy();
});

test("all addresses together have sixteen times as many", async () => {
  await using edge = await start(2);
  const sessions = Array.from({ length: 17 }, (_, index) =>
    sessionFrom(edge, `127.0.0.${index + 70}`),
  );
  const begun = sessions.slice(0, 16).flatMap((session) => [begin(session), begin(session)]);
  expect(new Set(await Promise.all(begun.map(fateOf)))).toEqual(new Set([unread]));
  for (const session of sessions.slice(16)) expect(await fateOf(begin(session))).toBe(tooMany);
  for (const session of sessions) session.destroy();
});

test("a request has its time for everything, and is ended then", async () => {
  await using edge = await start(4, { requestMs: 300, answerMs: 60_000 });
  const session = sessionFrom(edge, "127.0.0.66");
  const stream = begin(session);
  expect(await fateOf(stream)).toBe(unread);
  await once(stream, "close");
  expect(stream.rstCode).toBe(NGHTTP2_CANCEL);
  session.destroy();
});

test("whoever does not read that there is no such method is not waited for either", async () => {
  await using edge = await start(4, { answerMs: 300 });
  const session = sessionFrom(edge, "127.0.0.66");
  const stream = begin(session, "/sallyport.gateway.v1.ReadService/Nothing");
  expect(await fateOf(stream)).toBe("status 404");
  await once(stream, "close");
  expect(stream.rstCode).toBe(NGHTTP2_CANCEL);
  session.destroy();
});
