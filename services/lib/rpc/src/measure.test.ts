import { createClient } from "@connectrpc/connect";
import { Health } from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { exposeMetrics, inCallersTrace, inSpan, startTelemetry } from "@sallyport/telemetry";
import {
  type Collector,
  type TestPki,
  createTestPki,
  seriesOf,
  startCollector,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fail } from "./failure.ts";
import { type TestServer, goodRequest, keys, startTestServer } from "./testing/servers.ts";
import type { PeerConnection } from "./index.ts";

const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const traceId = "0af7651916cd43dd8448eb211c80319c";
const method = "sallyport.identity.internal.v1.KeyService/ResolveKeys";

let pki: TestPki;
let server: TestServer;
let connection: PeerConnection;
let collector: Collector;
let refusal: Error | undefined;

beforeAll(async () => {
  pki = await createTestPki();
  server = await startTestServer(pki, {
    resolveKeys() {
      if (refusal) throw refusal;
      return {};
    },
  });
  connection = server.connect(pki.tls("gateway"));
});
beforeEach(async () => {
  refusal = undefined;
  server.logged.splice(0);
  collector = await startCollector();
  return () => collector[Symbol.asyncDispose]();
});
afterAll(async () => {
  for (const part of [connection, server, pki]) await part[Symbol.asyncDispose]();
});

/** Runs code within a request that is traced. */
async function traced(run: () => Promise<unknown>, traceparent = caller): Promise<void> {
  await using _ = await startTelemetry({ service: "gateway", otlpUrl: collector.url });
  await inCallersTrace(traceparent, () => inSpan({ name: "request", kind: "server" }, run));
}

const resolve = () => keys(connection.transport).resolveKeys(goodRequest);
const resolved = () => resolve().catch(() => undefined);
const spans = (kind: number) =>
  collector.spans.filter((span) => span.name === method && span.kind === kind);

describe("a call within a trace", () => {
  test("is a span of the client and one of the server below it, and in the server's log", async () => {
    await traced(resolve);
    const [[called], [served]] = [spans(3), spans(2)];
    expect(called).toMatchObject({
      traceId,
      attributes: {
        "rpc.system.name": "connectrpc",
        "rpc.method": method,
        "rpc.response.status_code": "ok",
        "server.address": "localhost",
        "server.port": Number(new URL(server.url).port),
      },
      failed: false,
    });
    expect(served).toMatchObject({ traceId, parentSpanId: called?.spanId, failed: false });
    const answered = server.logged.find(({ msg }) => msg === "answered");
    expect(answered).toMatchObject({ trace_id: traceId, span_id: served?.spanId });
    expect(served?.attributes["sallyport.request_id"]).toBe(answered?.["request_id"]);
  });

  test("that is refused failed for the client; for the server only when the fault is its own", async () => {
    refusal = fail(Reason.NOT_FOUND, { field: "hunter2" });
    await traced(resolved);
    refusal = new Error("hunter2");
    await traced(resolved);
    expect(spans(3).map(({ failed, attributes }) => [failed, attributes["error.type"]])).toEqual([
      [true, "NOT_FOUND"],
      [true, "INTERNAL"],
    ]);
    expect(spans(2).map(({ failed, attributes }) => [failed, attributes["error.type"]])).toEqual([
      [false, "NOT_FOUND"],
      [true, "INTERNAL"],
    ]);
    expect(collector.text()).not.toContain("hunter2");
  });

  test("of a caller that is not recorded is no span anywhere, and has the ids in the log", async () => {
    await traced(resolve, caller.replace(/01$/, "00"));
    expect(collector.spans).toEqual([]);
    expect(server.logged.find(({ msg }) => msg === "answered")).toMatchObject({
      trace_id: traceId,
    });
  });

  test("that its peer may not make is in the log with the trace's id", async () => {
    await using stranger = server.connect(pki.tls("secrets"));
    await traced(() =>
      keys(stranger.transport)
        .resolveKeys(goodRequest)
        .catch(() => undefined),
    );
    const refused = server.logged.find(({ reason }) => reason === "PEER_NOT_ALLOWED");
    expect(refused).toMatchObject({ trace_id: traceId });
    expect(spans(2)).toEqual([]);
  });

  test("for health is no span, and neither is a stream", async () => {
    await using operator = server.connect(pki.tls("operator"));
    await traced(async () => {
      await createClient(Health, operator.transport).check({ service: "live" });
      for await (const _ of keys(connection.transport).watchRevocations({}));
    });
    expect(collector.spans.filter(({ kind }) => kind === 2).map(({ name }) => name)).toEqual([
      "request",
    ]);
    expect(collector.spans.filter(({ name }) => name.includes("Watch"))).toEqual([]);
  });
});

test("calls are measured by method, code and reason, on both sides, those too that a peer may not make", async () => {
  const counts = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...seriesOf(await exposeMetrics())].flatMap(([series, value]) => {
        const [, side = "", reason = ""] =
          /^rpc_(\w+)_call_duration_seconds_count\{rpc_method="[^"]*ResolveKeys",.*error_type="(\w*)"\}/.exec(
            series,
          ) ?? [];
        return side === "" ? [] : [[`${side} ${reason}`, value]];
      }),
    );
  const before = await counts();
  await resolve();
  refusal = fail(Reason.NOT_FOUND);
  await resolved();
  await using stranger = server.connect(pki.tls("secrets"));
  await keys(stranger.transport)
    .resolveKeys(goodRequest)
    .catch(() => undefined);
  const after = await counts();
  const more = Object.entries(after).map(
    ([name, value]) => [name, value - (before[name] ?? 0)] as const,
  );
  expect(Object.fromEntries(more.filter(([, by]) => by > 0))).toEqual({
    "server ": 1,
    "server NOT_FOUND": 1,
    "server PEER_NOT_ALLOWED": 1,
    "client ": 1,
    "client NOT_FOUND": 1,
    "client INTERNAL": 1, // What we may not call is our own misconfiguration.
  });
});
