import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { exposeMetrics } from "@sallyport/telemetry";
import { type TestPki, createTestPki, seriesOf, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Rates, defaultRates } from "../limits/rates.ts";
import { type Unsigned, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestKey, newKey, newMachine } from "../testing/keys.ts";
import { type Sent, connectJson } from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const MiB = 1024 * 1024;
const stranger = "127.0.0.66";
const start = (rates: Partial<Rates> = {}) =>
  startTestGateway({
    certificates: pki,
    redisUrl: testRedisUrl(),
    config: { contentMemoryMib: 4 },
    overrides: { rates: { ...defaultRates, ...rates } },
  });

/** A session from an address of this machine, which opens so large a window for its answers. */
function sessionFrom(
  { authority, ca }: TestGateway,
  localAddress: string,
  initialWindowSize = 65_535,
): ClientHttp2Session {
  const options = { ca, settings: { initialWindowSize }, localAddress, family: 4 };
  return connect(`https://${authority}`, options as object).on("error", () => undefined);
}

/** Begins a request and sends content for it, which does not end unless told so. */
function begin(session: ClientHttp2Session, sent: Sent, content: Uint8Array, endStream = false) {
  const head = { ":method": sent.method, ":path": sent.url, ...Object.fromEntries(sent.headers) };
  const stream = session.request(head).on("error", () => undefined);
  if (endStream) stream.end(content);
  else stream.write(content);
  return stream;
}

async function answerOf(
  stream: ReturnType<typeof begin>,
): Promise<{ status: number; text: string }> {
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return { status: Number(headers[":status"]), text };
}

/** A read of an honest machine from its own address. */
async function read(gateway: TestGateway, localAddress = "127.0.0.1") {
  const session = sessionFrom(gateway, localAddress);
  const machine = gateway.peers.enroll(newMachine());
  const sent = signedRequest(connectJson, gateway, machine, ReadService.method.readSecrets, {
    secretIds: [newId("sec")],
  });
  const answer = await answerOf(begin(session, sent, sent.body, true));
  session.destroy();
  return answer;
}

const write = (gateway: TestGateway, key: TestKey, unsigned: Unsigned = {}) =>
  signedRequest(connectJson, gateway, key, SecretService.method.createSecret, {}, unsigned);
const series = async (name: string) => seriesOf(await exposeMetrics()).get(name) ?? 0;
const usage = () => series("sallyport_content_memory_usage_bytes");
const refusedFor = (limit: string) =>
  series(`sallyport_limit_requests_total{limit="${limit}",outcome="refused"}`);

describe("memory for contents", () => {
  test("is not taken by what has no signature, however much is sent", async () => {
    await using gateway = await start();
    const sessions = [0, 1, 2].map(() => sessionFrom(gateway, stranger, 0));
    const { url, headers } = write(gateway, newMachine());
    const unsigned = headers.filter(([name]) => !name.startsWith("signature"));
    const sent = { method: "POST", url, authority: "", headers: unsigned, body: new Uint8Array() };
    for (const session of sessions)
      for (let n = 0; n < 85; n += 1) begin(session, sent, new Uint8Array(MiB - 1));
    for (let n = 0; n < 10; n += 1) {
      expect(await usage()).toBe(0);
      expect((await read(gateway)).status).toBe(200);
    }
    for (const session of sessions) session.destroy();
  });

  test("is one address's by a sixteenth: it shuts out nobody else", async () => {
    await using gateway = await start();
    const session = sessionFrom(gateway, stranger);
    const before = await refusedFor("content_memory_address");
    // More than there is for everybody, of one who signs well and never ends.
    for (let n = 0; n < 80; n += 1)
      begin(session, write(gateway, newMachine()), new Uint8Array(64 * 1024));
    await expect.poll(() => refusedFor("content_memory_address")).toBeGreaterThan(before + 50);
    expect(await usage()).toBeLessThanOrEqual((4 * MiB) / 16);
    expect((await read(gateway)).status).toBe(200);
    expect((await read(gateway, stranger)).status).toBe(429);
    session.destroy();
    await expect.poll(usage).toBe(0);
  });

  test("is given back by a refusal that nobody reads", async () => {
    await using gateway = await start();
    const session = sessionFrom(gateway, stranger, 0);
    const streams = [0, 1, 2].map(() => {
      const sent = write(gateway, newMachine()); // Its content is another than it says.
      return begin(session, sent, new Uint8Array(64 * 1024), true);
    });
    await Promise.all(streams.map((stream) => once(stream, "response")));
    await expect.poll(usage, { timeout: 1000 }).toBe(0);
    expect(streams.map(({ closed }) => closed)).toEqual([false, false, false]);
    session.destroy();
  });
});

describe("content", () => {
  test.each([
    ["Enroll", EnrollmentService.method.enroll, 4096],
    ["a read", ReadService.method.readSecrets, 16_384],
    ["a write", SecretService.method.createSecret, 98_304],
  ] as const)(
    "of %s has its own bound, and beyond it nothing of it is read",
    async (_, method, most) => {
      await using gateway = await start();
      const session = sessionFrom(gateway, stranger);
      const key = method === EnrollmentService.method.enroll ? newKey() : newMachine();
      const body = new Uint8Array(most + 1).fill(0x20);
      const sent = signedRequest(connectJson, gateway, key, method as never, {}, { body });
      const saying = {
        ...sent,
        headers: [...sent.headers, ["content-length", String(body.length)] as const],
      };
      // The first says how long it is and sends a byte of it, the second sends all without a word.
      const refusals = [begin(session, saying, body.subarray(0, 1)), begin(session, sent, body)];
      for (const refused of await Promise.all(refusals.map(answerOf))) {
        expect(refused.status).toBe(400);
        expect(refused.text).toContain("TOO_LARGE");
        expect(refused.text).toContain(`"limit_bytes":"${most}"`);
      }
      expect(gateway.peers.reached).toEqual([]);
      session.destroy();
    },
  );

  test("that comes too slowly is refused soon", async () => {
    await using gateway = await start();
    const session = sessionFrom(gateway, stranger);
    const stream = begin(session, write(gateway, newMachine()), new Uint8Array(1));
    const drip = setInterval(() => stream.write(new Uint8Array(100)), 100);
    const begunMs = performance.now();
    const { status, text } = await answerOf(stream).finally(() => clearInterval(drip));
    expect([status, text]).toEqual([400, expect.stringContaining("the content comes too slowly")]);
    expect(performance.now() - begunMs).toBeLessThan(6000);
    session.destroy();
  });
});

describe("an address that asks for what is not there", () => {
  const askFor = async (gateway: TestGateway, method: string, path: string) => {
    const session = sessionFrom(gateway, stranger);
    const stream = session
      .request({ ":method": method, ":path": path })
      .on("error", () => undefined);
    const [headers] = (await once(stream.resume(), "response")) as [Record<string, unknown>];
    session.destroy();
    return headers;
  };

  test("uses up its limit, and each such request is counted", async () => {
    await using gateway = await start({ address: { perSecond: 0.01, burst: 4 } });
    const steps = () =>
      Promise.all(
        ["path", "method"].map((step) => series(`sallyport_verify_refusals_total{step="${step}"}`)),
      );
    const [paths = 0, methods = 0] = await steps();
    const { url } = write(gateway, newMachine());
    const told: Record<string, unknown>[] = [];
    for (const [method, path] of [
      ["POST", "/nowhere"],
      ["GET", "/"],
      ["PUT", url],
      ["DELETE", url],
      ["POST", "/nowhere"],
      ["PUT", url],
    ] as const)
      told.push(await askFor(gateway, method, path));
    expect(told.map((headers) => headers[":status"])).toEqual([404, 404, 405, 405, 429, 429]);
    expect(Number(told.at(-1)?.["retry-after"])).toBeGreaterThan(90);
    expect(await steps()).toEqual([paths + 3, methods + 3]);
    expect((await read(gateway, stranger)).status).toBe(429);
    expect((await read(gateway)).status).toBe(200);
  });
});

test("keyids that nobody has push nobody's key out, and are looked up so often and no more", async () => {
  await using gateway = await start({ lookUp: { perSecond: 0.01, burst: 5 } });
  const machine = gateway.peers.enroll(newMachine());
  const session = sessionFrom(gateway, stranger);
  const { resolveKeys } = gateway.peers.steps;
  const asked: string[] = [];
  gateway.peers.steps.resolveKeys = (request, context) => {
    asked.push(...request.keyIds);
    return resolveKeys(request, context);
  };
  const statuses: number[] = [];
  for (let n = 0; n < 12; n += 1) {
    const sent = write(gateway, newMachine());
    statuses.push((await answerOf(begin(session, sent, sent.body, true))).status);
  }
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429, 429, 429, 429, 429, 429]);
  expect(asked).toHaveLength(5);
  // Others are looked up as before, and so is a known key from the stranger's address once it is
  // remembered.
  const sent = () => signedRequest(connectJson, gateway, machine, ReadService.method.getKeyset, {});
  const own = sessionFrom(gateway, "127.0.0.1");
  const first = sent();
  expect((await answerOf(begin(own, first, first.body, true))).status).toBe(200);
  const second = sent();
  expect((await answerOf(begin(session, second, second.body, true))).status).toBe(200);
  await sleep(0);
  for (const opened of [own, session]) opened.destroy();
});
