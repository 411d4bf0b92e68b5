import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { exposeMetrics, startTelemetry } from "@sallyport/telemetry";
import {
  type TestPki,
  createTestPki,
  seriesOf,
  startCollector,
  testRedisUrl,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Rates, defaultRates } from "../limits/rates.ts";
import { call, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestPrincipal, newKey, newMachine, newUser } from "../testing/keys.ts";
import { type Sent, connectJson, grpc, wires } from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const { readSecrets } = ReadService.method;
const { enroll } = EnrollmentService.method;
const start = (rates: Partial<Rates> = {}): Promise<TestGateway> =>
  startTestGateway({
    certificates: pki,
    redisUrl: testRedisUrl(),
    overrides: { rates: { ...defaultRates, ...rates } },
  });
const readOf = (gateway: TestGateway, key: TestPrincipal): Sent =>
  signedRequest(connectJson, gateway, key, readSecrets, { secretIds: [newId("sec")] });

const metrics = async (): Promise<ReadonlyMap<string, number>> => seriesOf(await exposeMetrics());

/** By how much each series that changed did, while code ran. */
async function changesOf(run: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await metrics();
  await run();
  const changes = [...(await metrics())].map(
    ([series, value]) => [series, value - (before.get(series) ?? 0)] as const,
  );
  return Object.fromEntries(changes.filter(([, by]) => by !== 0));
}

describe("limits show what they let pass and refuse", () => {
  const counts = (limit: string, allowed: number, refused: number) => ({
    [`sallyport_limit_requests_total{limit="${limit}",outcome="allowed"}`]: allowed,
    [`sallyport_limit_requests_total{limit="${limit}",outcome="refused"}`]: refused,
  });

  test("of addresses, with how many are remembered", async () => {
    await using gateway = await start({ address: { perSecond: 0.001, burst: 2 } });
    const machine = gateway.peers.enroll(newMachine());
    const changes = await changesOf(async () => {
      for (let request = 0; request < 5; request += 1)
        await connectJson.send(gateway, readOf(gateway, machine));
    });
    expect(changes).toMatchObject(counts("address", 2, 3));
    expect(changes).toMatchObject({ 'sallyport_verify_refusals_total{step="address"}': 3 });
    const shown = await metrics();
    expect(shown.get('sallyport_limit_addresses{limit="address"}')).toBe(1);
    expect(shown.get('sallyport_limit_addresses_max{limit="address"}')).toBe(100_000);
    expect(shown.get('sallyport_limit_addresses{limit="new_key"}')).toBe(0);
  });

  test("of keys that are not enrolled", async () => {
    await using gateway = await start({ newKey: { perSecond: 0.001, burst: 1 } });
    const changes = await changesOf(async () => {
      for (const wire of [grpc, connectJson]) await call(wire, gateway, newKey(), enroll, {});
    });
    expect(changes).toMatchObject(counts("new_key", 1, 1));
  });

  test("of principals, by the class of the method", async () => {
    const rate = { perSecond: 0.001, burst: 1 };
    await using gateway = await start({ principal: { ...defaultRates.principal, read: rate } });
    const machine = gateway.peers.enroll(newMachine());
    const changes = await changesOf(async () => {
      for (let request = 0; request < 3; request += 1)
        await connectJson.send(gateway, readOf(gateway, machine));
    });
    expect(changes).toMatchObject(counts("principal_read", 1, 2));
  });
});

test("the memory for contents is given back, over every wire, answered and refused", async () => {
  await using gateway = await start();
  const machine = gateway.peers.enroll(newMachine());
  const stranger = newMachine();
  const changes = await changesOf(async () => {
    for (const wire of wires)
      for (const key of [machine, stranger])
        await call(wire, gateway, key, readSecrets, { secretIds: [newId("sec")] });
    const usage = async () => (await metrics()).get("sallyport_content_memory_usage_bytes");
    await expect.poll(usage).toBe(0);
  });
  expect(changes['sallyport_limit_requests_total{limit="content_memory",outcome="allowed"}']).toBe(
    2 * wires.length,
  );
});

test("a refusal is counted at the step that refused it", async () => {
  await using gateway = await start();
  const machine = gateway.peers.enroll(newMachine());
  const user = gateway.peers.enroll(newUser(Role.OWNER));
  const disabled = gateway.peers.enroll(newMachine(), Reason.MACHINE_DISABLED);
  const good = () => readOf(gateway, machine);
  const replayed = good();
  await connectJson.send(gateway, replayed);
  const old = Math.floor(Date.now() / 1000) - 3600;
  const send = (unsigned: Parameters<typeof signedRequest>[5]) =>
    signedRequest(
      connectJson,
      gateway,
      machine,
      readSecrets,
      { secretIds: [newId("sec")] },
      unsigned,
    );
  const refused: readonly [step: string, sent: Sent][] = [
    ["head", { ...good(), method: "GET" }],
    ["created", send({ createdSeconds: old })],
    ["content-digest", { ...good(), body: Buffer.from("{}") }],
    ["key", readOf(gateway, newMachine())],
    ["signature", send({ authority: "elsewhere.example" })],
    ["authority", { ...send({ authority: "elsewhere.example" }), authority: "elsewhere.example" }],
    ["principal", readOf(gateway, disabled)],
    ["admission", replayed],
    ["role", readOf(gateway, user)],
  ];
  for (const [step, sent] of refused) {
    const changes = await changesOf(() => connectJson.send(gateway, sent));
    const steps = Object.entries(changes).filter(([series]) =>
      series.startsWith("sallyport_verify"),
    );
    expect(steps).toEqual([[`sallyport_verify_refusals_total{step="${step}"}`, 1]]);
  }
});

test("requests are measured by method and public reason, look-ups of keys and commands of Redis by the way", async () => {
  await using gateway = await start();
  const machine = gateway.peers.enroll(newMachine());
  const changes = await changesOf(async () => {
    await connectJson.send(gateway, readOf(gateway, machine));
    await connectJson.send(gateway, readOf(gateway, machine));
    await connectJson.send(gateway, readOf(gateway, newMachine()));
  });
  const method = 'rpc_method="sallyport.gateway.v1.ReadService/ReadSecrets"';
  const ok = 'rpc_response_status_code="ok",error_type=""';
  const rejected = 'rpc_response_status_code="unauthenticated",error_type="REQUEST_REJECTED"';
  expect(changes).toMatchObject({
    [`rpc_server_call_duration_seconds_count{${method},${ok}}`]: 2,
    [`rpc_server_call_duration_seconds_count{${method},${rejected}}`]: 1,
    'sallyport_cache_lookups_total{cache="keys",result="miss"}': 2,
    'sallyport_cache_lookups_total{cache="keys",result="hit"}': 1,
    'sallyport_cache_entries{cache="keys"}': 1,
    'db_client_operation_duration_seconds_count{db_system_name="redis",db_operation_name="EVALSHA",error_type=""}': 2,
  });
});

describe("a client's traceparent", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const traced = (sent: Sent, ...headers: readonly string[]): Sent => ({
    ...sent,
    headers: [...sent.headers, ...headers.map((header) => ["traceparent", header] as const)],
  });

  test("names the trace, and does not say whether it is recorded", async () => {
    await using collector = await startCollector();
    for (const [traceRatio, flag, spans] of [
      [0, "01", 0],
      [1, "00", 2],
    ] as const) {
      await using gateway = await start();
      const machine = gateway.peers.enroll(newMachine());
      const sent = traced(readOf(gateway, machine), `00-${traceId}-b7ad6b7169203331-${flag}`);
      {
        await using _ = await startTelemetry({
          service: "gateway",
          otlpUrl: collector.url,
          traceRatio,
        });
        await connectJson.send(gateway, sent);
      }
      expect(collector.spans).toHaveLength(spans);
      const answered = gateway.logged.find(({ msg }) => msg === "answered");
      expect(answered).toMatchObject({ trace_id: traceId });
    }
    const [redis, request] = collector.spans;
    expect(redis).toMatchObject({
      name: "EVALSHA",
      kind: 3,
      traceId,
      parentSpanId: request?.spanId,
    });
    expect(request).toMatchObject({
      name: "sallyport.gateway.v1.ReadService/ReadSecrets",
      kind: 2,
      traceId,
      attributes: { "rpc.response.status_code": "ok" },
    });
  });

  test("that is sent twice, or does not hold, is none; the request is answered", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    await using collector = await startCollector();
    await using _ = await startTelemetry({
      service: "gateway",
      otlpUrl: collector.url,
      traceRatio: 0,
    });
    const good = `00-${traceId}-b7ad6b7169203331-01`;
    for (const headers of [[good, good], ["nonsense"], [`${good}\u00ff`]]) {
      const { status } = await connectJson.send(
        gateway,
        traced(readOf(gateway, machine), ...headers),
      );
      expect(status).toBe(200);
    }
    const ids = gateway.logged
      .filter(({ msg }) => msg === "answered")
      .map((line) => line["trace_id"]);
    expect(ids).toHaveLength(3);
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain(traceId);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(String(id)))).toBe(true);
  });
});
