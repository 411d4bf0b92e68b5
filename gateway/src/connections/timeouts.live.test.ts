import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Timeouts } from "../listener/listener.ts";
import { signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { newMachine } from "../testing/keys.ts";
import { connectJson } from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const start = (timeouts: Partial<Timeouts>) =>
  startTestGateway({ certificates: pki, redisUrl: testRedisUrl(), overrides: { timeouts } });

function open({ authority, ca }: TestGateway, initialWindowSize = 65_535): ClientHttp2Session {
  const session = connect(`https://${authority}`, { ca, settings: { initialWindowSize } });
  session.on("error", () => undefined);
  return session;
}

/** Resolves when the session is ended, though it sends a PING all the time. */
async function endOf(session: ClientHttp2Session): Promise<void> {
  const pings = setInterval(() => session.ping(() => undefined), 50);
  await once(session, "close").finally(() => clearInterval(pings));
}

function ask(gateway: TestGateway, session: ClientHttp2Session) {
  const machine = gateway.peers.enroll(newMachine());
  const { readSecrets } = ReadService.method;
  const { url, headers, body } = signedRequest(connectJson, gateway, machine, readSecrets, {
    secretIds: [newId("sec")],
  });
  const stream = session.request({
    ":method": "POST",
    ":path": url,
    ...Object.fromEntries(headers),
  });
  stream.on("error", () => undefined).end(body);
  return stream;
}

test("a session that asks nothing is ended, whatever else it sends", async () => {
  await using gateway = await start({ firstMs: 300 });
  const begunMs = performance.now();
  await endOf(open(gateway));
  expect(performance.now() - begunMs).toBeLessThan(3000);
});

test("a session is kept while it is asked, and ended when it is asked no more", async () => {
  await using gateway = await start({ firstMs: 300, nextMs: 600 });
  const session = open(gateway);
  const ended = endOf(session);
  for (let count = 0; count < 3; count += 1) {
    const stream = ask(gateway, session).resume();
    const [{ ":status": status }] = (await once(stream, "response")) as [{ ":status": number }];
    expect(status).toBe(200);
    await sleep(300);
  }
  expect(session.destroyed).toBe(false);
  await ended;
});

test("an answer that nobody reads is taken back", async () => {
  await using gateway = await start({ answerMs: 300 });
  const session = open(gateway, 0);
  const stream = ask(gateway, session);
  await once(stream, "response");
  await once(stream, "close");
  expect(stream.rstCode).not.toBe(0);
  session.destroy();
});

test("nobody who has gone is waited for: an answer made after that sets no clock", async () => {
  const answerMs = 61_234;
  await using gateway = await start({ answerMs });
  const clocks = vi.spyOn(globalThis, "setTimeout");
  const set = () => clocks.mock.calls.filter(([, delayMs]) => delayMs === answerMs).length;
  const session = open(gateway);
  await once(ask(gateway, session).resume(), "close");
  expect(set()).toBe(1);

  const { promise: asked, resolve: reach } = Promise.withResolvers<void>();
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  const { open: opened } = gateway.peers.steps;
  gateway.peers.steps.open = async (...call) => {
    reach();
    await left;
    return opened(...call);
  };
  const stream = ask(gateway, session);
  await asked;
  stream.close();
  await once(stream, "close");
  await sleep(100); // Until the gateway knows.
  leave();
  await sleep(100); // Until its answer is made.
  expect(set()).toBe(1);
  clocks.mockRestore();
  session.destroy();
});

test("HTTP/1.1 headers that do not end are ended", async () => {
  await using gateway = await start({ headersMs: 300 });
  const { port, ca } = gateway;
  const socket = connectTls({ host: "localhost", port, ca, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  socket.write("POST / HTTP/1.1\r\n");
  const lines = setInterval(() => socket.write("x: 1\r\n"), 50);
  await new Promise((resolve) => socket.resume().once("close", resolve)).finally(() =>
    clearInterval(lines),
  );
  expect(socket.destroyed).toBe(true);
});
