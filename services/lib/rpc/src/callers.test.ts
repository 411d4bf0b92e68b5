import { connect as connectHttp2 } from "node:http2";
import { readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type TestPki, createTestPki } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type TestServer, goodRequest, keys, startTestServer } from "./testing/servers.ts";
import { type TlsFiles, failureOf, route, toConnectError, fail } from "./index.ts";
import { readTls } from "./tls-files.ts";

let pki: TestPki;
let server: TestServer;
let handled = 0;

beforeAll(async () => {
  pki = await createTestPki();
  server = await startTestServer(pki, {
    resolveKeys: () => {
      handled += 1;
      return {};
    },
    watchRevocations: async function* () {
      handled += 1;
      yield {};
    },
  });
});
beforeEach(() => (handled = 0));
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

async function outcome(call: Promise<unknown>): Promise<Reason | "ok"> {
  return call.then(
    () => "ok",
    (error: unknown) => failureOf(error).reason,
  );
}

async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
}

test("a peer in the table gets through", async () => {
  await using gateway = server.connect(pki.tls("gateway"));
  expect(await outcome(keys(gateway.transport).resolveKeys(goodRequest))).toBe("ok");
  expect(handled).toBe(1);
});

test.each(["identity", "policy", "secrets", "crypto", "audit", "operator"])(
  "%s, which the table does not name, reaches no handler",
  async (peer) => {
    await using connection = server.connect(pki.tls(peer));
    const client = keys(connection.transport);
    expect(await codeOf(client.resolveKeys(goodRequest))).toBe(Code.PermissionDenied);
    const watch = client.watchRevocations({})[Symbol.asyncIterator]();
    expect(await codeOf(watch.next())).toBe(Code.PermissionDenied);
    expect(handled).toBe(0);
    expect(server.logged.at(-1)).toMatchObject({ peer, reason: "PEER_NOT_ALLOWED", level: "warn" });
  },
);

test("gRPC passes the same table", async () => {
  const as = (peer: string) =>
    keys(createGrpcTransport({ baseUrl: server.url, nodeOptions: readTls(pki.tls(peer)) }));
  expect(await codeOf(as("policy").resolveKeys(goodRequest))).toBe(Code.PermissionDenied);
  expect(handled).toBe(0);
  expect(await codeOf(as("gateway").resolveKeys(goodRequest))).toBeUndefined();
});

test("a peer is refused before its message is read", async () => {
  const session = connectHttp2(server.url, readTls(pki.tls("policy")));
  const stream = session.request({
    ":method": "POST",
    ":path": "/sallyport.identity.internal.v1.KeyService/ResolveKeys",
    "content-type": "application/proto",
  });
  const status = await new Promise<unknown>((resolve, reject) => {
    stream.on("error", reject);
    stream.on("response", (headers) => resolve(headers[":status"]));
    stream.write("not a message"); // and the body never ends
  });
  session.destroy();
  expect(status).toBe(403);
  expect(handled).toBe(0);
});

test("a peer of another trust domain is refused, whatever its CA", async () => {
  await using elsewhere = await startTestServer(pki, {}, { trustDomain: "elsewhere.sallyport" });
  await using gateway = elsewhere.connect(pki.tls("gateway"));
  expect(await codeOf(keys(gateway.transport).resolveKeys(goodRequest))).toBe(
    Code.PermissionDenied,
  );
  expect(elsewhere.logged.at(-1)).toMatchObject({ reason: "PEER_NOT_ALLOWED" });
});

test("a certificate of a foreign CA does not connect", async () => {
  await using gateway = server.connect(pki.foreign("gateway"));
  expect(await outcome(keys(gateway.transport).resolveKeys(goodRequest))).toBe(
    Reason.DEPENDENCY_UNAVAILABLE,
  );
  expect(handled).toBe(0);
});

test("without a certificate nobody connects", async () => {
  const nodeOptions = { ca: readFileSync(pki.caFile) };
  const client = keys(createGrpcTransport({ baseUrl: server.url, nodeOptions }));
  expect(await outcome(client.resolveKeys(goodRequest))).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  expect(handled).toBe(0);
});

test("older TLS and HTTP/1.1 are not spoken", async () => {
  const old = await handshake(pki.tls("gateway"), { maxVersion: "TLSv1.2", ALPNProtocols: ["h2"] });
  expect(old).toMatch(/protocol version/);
  const http1 = await handshake(pki.tls("gateway"), { ALPNProtocols: ["http/1.1"] });
  expect(http1).toMatch(/no application protocol/);
});

function handshake(
  tls: TlsFiles,
  options: { maxVersion?: "TLSv1.2"; ALPNProtocols: string[] },
): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve) => {
    const socket = connectTls({ host: hostname, port: Number(port), ...readTls(tls), ...options });
    socket.on("error", (error) => resolve(error.message));
    socket.on("secureConnect", () => resolve("connected"));
  });
}

test.each([
  ["is another peer", () => server.connect(pki.tls("gateway"), { peer: "policy" })],
  [
    "is of another trust domain",
    () => server.connect(pki.tls("gateway"), { trustDomain: "elsewhere" }),
  ],
])("a server that %s gets no request", async (_, connect) => {
  await using connection = connect();
  expect(await outcome(keys(connection.transport).resolveKeys(goodRequest))).toBe(
    Reason.DEPENDENCY_UNAVAILABLE,
  );
  expect(handled).toBe(0);
});

test("a server with a certificate of a foreign CA gets no request", async () => {
  await using impostor = await startTestServer(pki, {}, { tls: pki.foreign("identity") });
  await using gateway = impostor.connect(pki.tls("gateway"));
  expect(await outcome(keys(gateway.transport).resolveKeys(goodRequest))).toBe(
    Reason.DEPENDENCY_UNAVAILABLE,
  );
});

test("an upstream that refuses us as a peer is our own misconfiguration", () => {
  const refusal = toConnectError(fail(Reason.PEER_NOT_ALLOWED), "req_1");
  expect(failureOf(refusal).reason).toBe(Reason.INTERNAL);
});

test("a service cannot be routed twice", async () => {
  const callers = { resolveKeys: [], watchRevocations: [], reportSightings: [] };
  const twice = route(KeyService, callers, {
    resolveKeys: () => ({}),
    watchRevocations: async function* () {},
    reportSightings: () => ({}),
  });
  await expect(startTestServer(pki, {}, { routes: [twice, twice] })).rejects.toThrow(
    /routed twice/,
  );
});

test("a connection does not outlive the certificate that proved it", async () => {
  await using gateway = server.connect(pki.tls("gateway"));
  const client = keys(gateway.transport);
  expect(await codeOf(client.resolveKeys(goodRequest))).toBeUndefined();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 366 * 86_400_000 });
  try {
    expect(await codeOf(client.resolveKeys(goodRequest))).toBe(Code.PermissionDenied);
  } finally {
    vi.useRealTimers();
  }
});
