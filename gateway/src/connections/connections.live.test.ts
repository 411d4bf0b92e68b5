import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { type Socket, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { exposeMetrics } from "@sallyport/telemetry";
import { type TestPki, createTestPki, seriesOf, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GatewayConfig } from "../config.ts";
import { defaultRates } from "../limits/rates.ts";
import type { GatewayOverrides } from "../server.ts";
import { call } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { newMachine } from "../testing/keys.ts";
import { writeProxyHeader } from "../testing/proxy-header.ts";
import { type Wire, connectJson, wires } from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const stranger = "127.0.0.66";
const balancerAddress = "127.0.0.77";
const { readSecrets } = ReadService.method;

const start = (config: Partial<GatewayConfig>, overrides: GatewayOverrides = {}) =>
  startTestGateway({ certificates: pki, redisUrl: testRedisUrl(), config, overrides });

/** A TCP connection from an address of this machine, which may have been reset already. */
async function open(gateway: TestGateway, localAddress: string): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port: gateway.port, localAddress });
  socket.on("error", () => undefined).resume();
  await new Promise<void>((resolve) => {
    for (const event of ["connect", "close"]) socket.once(event, () => resolve());
  });
  return socket;
}

async function isEnded(socket: Socket, withinMs = 2000): Promise<boolean> {
  if (socket.closed) return true;
  const closed = new Promise<boolean>((resolve) => socket.once("close", () => resolve(true)));
  return Promise.race([closed, sleep(withinMs, false)]);
}

/** A TLS handshake over a connection; rejects when the gateway does not answer it. */
async function handshake(gateway: TestGateway, socket: Socket, protocol = "h2") {
  const { ca } = gateway;
  const tls = connectTls({ socket, servername: "localhost", ca, ALPNProtocols: [protocol] });
  const closed = once(socket, "close").then(() => Promise.reject(new Error("it was closed")));
  if (socket.closed) throw new Error("it was closed");
  await Promise.race([once(tls, "secureConnect"), closed]);
  closed.catch(() => undefined);
  return tls;
}

/**
 * A load balancer: it hands connections on as they are, after a header that says from whom they
 * come.
 */
async function startBalancer(gateway: TestGateway, header: () => Uint8Array) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({
      host: "127.0.0.1",
      port: gateway.port,
      localAddress: balancerAddress,
    });
    upstream.write(header());
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => [client, upstream].forEach((end) => end.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the balancer has no port");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const read = (gateway: TestGateway, wire: Wire, port = gateway.port) =>
  call(wire, { ...gateway, port }, gateway.peers.enroll(newMachine()), readSecrets, {
    secretIds: [newId("sec")],
  });
/** The addresses from which policy was told that reads came. */
function followSources({ peers }: TestGateway): string[] {
  const { authorize } = peers.steps;
  const sources: string[] = [];
  peers.steps.authorize = (request, context) => {
    sources.push(...request.items.map(({ sourceIp }) => sourceIp));
    return authorize(request, context);
  };
  return sources;
}
const series = async (name: string) => seriesOf(await exposeMetrics()).get(name) ?? 0;
const refusedConnections = () =>
  series('sallyport_limit_requests_total{limit="connections",outcome="refused"}');
const openConnections = () => series("sallyport_connections");

describe("one address", () => {
  test("holds so many connections, half-open ones among them; others theirs", async () => {
    await using gateway = await start({ connectionsPerAddress: 4 });
    const before = await refusedConnections();
    const held = [await open(gateway, stranger), await open(gateway, stranger)];
    for (const protocol of ["h2", "http/1.1"])
      held.push(await handshake(gateway, await open(gateway, stranger), protocol));
    expect(await openConnections()).toBe(4);
    const more = await open(gateway, stranger);
    expect(await isEnded(more)).toBe(true);
    await expect(handshake(gateway, await open(gateway, stranger))).rejects.toThrow();
    expect(await refusedConnections()).toBe(before + 2);
    for (const wire of wires) expect(await read(gateway, wire)).toMatchObject({ kind: "reply" });
    held[0]?.destroy();
    await expect.poll(openConnections).toBe(3);
    held.push(await handshake(gateway, await open(gateway, stranger)));
    for (const socket of held) socket.destroy();
    await expect.poll(openConnections).toBe(0);
  });

  test("leaves none behind, however connections end", async () => {
    await using gateway = await start({ connectionsPerAddress: 4 });
    for (let round = 0; round < 5; round += 1) {
      const silent = await open(gateway, stranger);
      const garbage = await open(gateway, stranger);
      garbage.write("GET / HTTP/1.1\r\n\r\n");
      const tls = await handshake(gateway, await open(gateway, stranger));
      silent.resetAndDestroy();
      tls.end();
      expect(await isEnded(garbage)).toBe(true);
      await expect.poll(openConnections).toBe(0);
    }
  });
});

test("one address opens so many a second, before TLS begins; others theirs, and it is counted", async () => {
  await using gateway = await start({ newConnectionsPerAddress: 1 });
  const tooSoon = () =>
    series('sallyport_limit_requests_total{limit="connection_rate",outcome="refused"}');
  const before = await tooSoon();
  for (let n = 0; n < 8; n += 1) (await open(gateway, stranger)).destroy();
  expect(await isEnded(await open(gateway, stranger))).toBe(true);
  await expect(handshake(gateway, await open(gateway, stranger))).rejects.toThrow();
  expect(await tooSoon()).toBe(before + 2);
  (await handshake(gateway, await open(gateway, "127.0.0.67"))).destroy();
  await sleep(1100);
  (await handshake(gateway, await open(gateway, stranger))).destroy();
});

test("all addresses together hold sixteen times as many", async () => {
  await using gateway = await start({ connectionsPerAddress: 1 });
  const held: Socket[] = [];
  for (let n = 0; n < 16; n += 1) held.push(await open(gateway, `127.0.1.${n + 1}`));
  expect(await isEnded(await open(gateway, stranger))).toBe(true);
  held[3]?.destroy();
  await expect.poll(openConnections).toBe(15);
  held.push(await handshake(gateway, await open(gateway, stranger)));
  for (const socket of held) socket.destroy();
});

describe("behind a load balancer", () => {
  const proxies = ["127.0.0.64/28"];

  test.each(["192.0.2.7", "2001:db8:1:2::7"])(
    "a read comes from %s, over every wire",
    async (client) => {
      await using gateway = await start({ proxies });
      await using balancer = await startBalancer(gateway, () =>
        writeProxyHeader(client, { tlvBytes: 40 }),
      );
      const sources = followSources(gateway);
      for (const wire of wires)
        expect(await read(gateway, wire, balancer.port)).toMatchObject({ kind: "reply" });
      expect(sources).toEqual(wires.map(() => client));
      for (const wire of wires) await read(gateway, wire); // Past the balancer nothing changes.
      expect(new Set(sources.slice(wires.length))).toEqual(new Set(["127.0.0.1"]));
    },
  );

  test("an IPv4 client of an IPv6 listener is the IPv4 address", async () => {
    await using gateway = await start({ proxies });
    await using balancer = await startBalancer(gateway, () => writeProxyHeader("::ffff:192.0.2.7"));
    const sources = followSources(gateway);
    await read(gateway, connectJson, balancer.port);
    expect(sources).toEqual(["192.0.2.7"]);
  });

  test("limits are each client's and not the balancer's", async () => {
    const rates = { ...defaultRates, address: { perSecond: 0.01, burst: 2 } };
    await using gateway = await start({ proxies }, { rates });
    let client = "192.0.2.1";
    await using balancer = await startBalancer(gateway, () => writeProxyHeader(client));
    for (let n = 0; n < 2; n += 1)
      expect(await read(gateway, connectJson, balancer.port)).toMatchObject({ kind: "reply" });
    expect(await read(gateway, connectJson, balancer.port)).toMatchObject({
      refusal: { reason: "RATE_LIMITED" },
    });
    await expect.poll(() => gateway.peers.events).toHaveLength(1);
    expect(gateway.peers.events[0]?.sourceIp).toBe("192.0.2.1");
    client = "192.0.2.2";
    expect(await read(gateway, connectJson, balancer.port)).toMatchObject({ kind: "reply" });
  });

  test("so is the bound on connections", async () => {
    await using gateway = await start({ proxies, connectionsPerAddress: 2 });
    const openAs = async (client: string) => {
      const socket = await open(gateway, balancerAddress);
      socket.write(writeProxyHeader(client));
      return socket;
    };
    const held = [await openAs("192.0.2.1"), await openAs("192.0.2.1")];
    await expect.poll(openConnections).toBe(2);
    expect(await isEnded(await openAs("192.0.2.1"))).toBe(true);
    held.push(await handshake(gateway, await openAs("192.0.2.2")));
    for (const socket of held) socket.destroy();
  });

  test("a /48 of IPv6 holds eight times as many, however many of its /64s they come from", async () => {
    await using gateway = await start({ proxies, connectionsPerAddress: 1 });
    const openAs = async (client: string) => {
      const socket = await open(gateway, balancerAddress);
      socket.write(writeProxyHeader(client));
      return socket;
    };
    const held = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => openAs(`2001:db8:1:${n}::7`)),
    );
    await expect.poll(openConnections).toBe(8);
    expect(await isEnded(await openAs("2001:db8:1:9::7"))).toBe(true);
    held.push(await handshake(gateway, await openAs("2001:db8:2:5::7")));
    for (const socket of held) socket.destroy();
  });

  test("the header may come byte by byte, and with what follows it", async () => {
    await using gateway = await start({ proxies });
    const socket = await open(gateway, balancerAddress);
    socket.setNoDelay(true);
    for (const byte of writeProxyHeader("192.0.2.7")) {
      socket.write(Uint8Array.of(byte));
      await sleep(1);
    }
    const bytewise = await handshake(gateway, socket);
    const together = await open(gateway, balancerAddress);
    together.cork();
    together.write(writeProxyHeader("192.0.2.7"));
    process.nextTick(() => together.uncork());
    const atOnce = await handshake(gateway, together);
    expect([bytewise, atOnce].map(({ alpnProtocol }) => alpnProtocol)).toEqual(["h2", "h2"]);
    for (const tls of [bytewise, atOnce]) tls.destroy();
  });

  test("a balancer that speaks for itself is served under its own address", async () => {
    await using gateway = await start({ proxies });
    await using balancer = await startBalancer(gateway, () =>
      writeProxyHeader("192.0.2.7", { command: 0x20 }),
    );
    const sources = followSources(gateway);
    expect(await read(gateway, connectJson, balancer.port)).toMatchObject({ kind: "reply" });
    expect(sources).toEqual([balancerAddress]);
  });

  test.each<[string, Uint8Array]>([
    ["none, but TLS", Buffer.from("1603010200010001fc0303", "hex")],
    ["one of version 1", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")],
    ["one that is too long", writeProxyHeader("192.0.2.7", { tlvBytes: 5000 })],
    ["one that names nobody", Buffer.from("0d0a0d0a000d0a515549540a21000000", "hex")],
  ])("a connection of the balancer with %s is refused, and the operator told", async (_, bytes) => {
    await using gateway = await start({ proxies });
    const socket = await open(gateway, balancerAddress);
    socket.write(bytes);
    expect(await isEnded(socket)).toBe(true);
    expect(JSON.stringify(gateway.logged)).toContain("no PROXY header to use");
    expect(await openConnections()).toBe(0);
  });

  test("a header that does not come in time is not waited for", async () => {
    await using gateway = await start({ proxies }, { timeouts: { proxyHeaderMs: 500 } });
    const slow = await open(gateway, balancerAddress);
    const header = writeProxyHeader("192.0.2.7");
    let sent = 0;
    const drip = setInterval(() => slow.write(header.subarray(sent, (sent += 1))), 100);
    expect(await isEnded(slow)).toBe(true);
    clearInterval(drip);
    expect(sent).toBeLessThan(header.length);
  });

  test("stopping does not wait for it", async () => {
    const gateway = await start({ proxies });
    const socket = await open(gateway, balancerAddress);
    const begunMs = performance.now();
    await gateway[Symbol.asyncDispose]();
    expect(performance.now() - begunMs).toBeLessThan(2000);
    expect(await isEnded(socket)).toBe(true);
  });
});

describe("who is no load balancer", () => {
  test.each([
    ["is one", ["127.0.0.77"]],
    ["is none", []],
  ])("cannot say from where a connection comes, where another %s", async (_, proxies) => {
    await using gateway = await start({ proxies });
    const sources = followSources(gateway);
    const socket = await open(gateway, stranger);
    socket.write(writeProxyHeader("192.0.2.7"));
    await expect(handshake(gateway, socket)).rejects.toThrow();
    expect(await isEnded(socket)).toBe(true);
    expect(await read(gateway, connectJson)).toMatchObject({ kind: "reply" });
    expect(sources).toEqual(["127.0.0.1"]);
  });

  test("is not believed in headers of HTTP either", async () => {
    await using gateway = await start({ proxies: ["127.0.0.77"] });
    const sources = followSources(gateway);
    const session: ClientHttp2Session = connectHttp2(`https://${gateway.authority}`, {
      ca: gateway.ca,
    });
    const claims = {
      "x-forwarded-for": "192.0.2.7",
      forwarded: "for=192.0.2.7",
      "x-real-ip": "192.0.2.7",
    };
    const sending: Wire = {
      ...connectJson,
      send: (to, sent) =>
        connectJson.send(to, { ...sent, headers: [...sent.headers, ...Object.entries(claims)] }),
    };
    expect(await read(gateway, sending)).toMatchObject({ kind: "reply" });
    expect(sources).toEqual(["127.0.0.1"]);
    session.destroy();
  });
});
