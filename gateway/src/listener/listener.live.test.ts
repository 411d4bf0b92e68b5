import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { type Socket, connect as connectTcp } from "node:net";
import { Agent, request as requestHttp1 } from "node:https";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { type TestPrincipal, newMachine } from "../testing/keys.ts";
import { type Sent, connectJson, grpc, readAnswer, wires } from "../testing/wires.ts";

let pki: TestPki;
beforeAll(async () => {
  pki = await createTestPki();
});
afterAll(() => pki[Symbol.asyncDispose]());

const { readSecrets } = ReadService.method;
const start = () => startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });

function readOf(gateway: TestGateway, machine: TestPrincipal, body?: Uint8Array): Sent {
  const unsigned = body ? { body } : {};
  return signedRequest(
    connectJson,
    gateway,
    machine,
    readSecrets,
    { secretIds: [newId("sec")] },
    unsigned,
  );
}

/** Opens TLS; rejects when the server does not want it. */
function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "localhost", port, ALPNProtocols: ["h2"], ...options }, () =>
      resolve(socket),
    );
    socket.once("error", reject);
  });
}

/** Sends over HTTP/1.1, chunk by chunk. */
function post({ port, ca }: TestGateway, sent: Sent, chunks: readonly Uint8Array[], agent?: Agent) {
  const headers = { ...Object.fromEntries(sent.headers), host: sent.authority };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = requestHttp1({
    host: "localhost",
    port,
    ca,
    method: "POST",
    path: sent.url,
    headers,
    agent,
  });
  request.on("response", resolve);
  request.on("error", reject);
  for (const chunk of chunks) request.write(chunk);
  return { request, response: promise };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe("connections", () => {
  test("are TLS 1.3 or nothing", async () => {
    await using gateway = await start();
    const { port, ca } = gateway;
    await expect(handshake(port, { ca, maxVersion: "TLSv1.2" })).rejects.toThrow();
    const socket = await handshake(port, { ca });
    expect(socket.getProtocol()).toBe("TLSv1.3");
    expect(socket.alpnProtocol).toBe("h2");
    socket.destroy();
  });

  test("are kept for the next request", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let n = 0; n < 3; n += 1) {
      const sent = readOf(gateway, machine);
      const { request, response } = post(gateway, sent, [sent.body], agent);
      request.end();
      const answered = await response;
      expect(answered.statusCode).toBe(200);
      ports.add(answered.socket.localPort);
      await textOf(answered);
    }
    expect(ports.size).toBe(1);
    agent.destroy();
  });
});

describe("a client", () => {
  test("that sends without end is told TOO_LARGE and cut off", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    const sent = readOf(gateway, machine);
    const { request, response } = post(gateway, sent, [new Uint8Array(2 * 1024 * 1024)]);
    const more = setInterval(() => request.write(new Uint8Array(64 * 1024)), 20);
    const answered = await response;
    expect(answered.headers.connection).toBe("close");
    expect(await textOf(answered)).toContain("TOO_LARGE");
    await expect
      .poll(() => request.destroyed || request.socket?.destroyed, { timeout: 3000 })
      .toBe(true);
    clearInterval(more);
  });

  test("that breaks off in the middle is nobody's fault and no refusal", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    const sent = readOf(gateway, machine);
    const { request, response } = post(gateway, sent, [sent.body.subarray(0, 5)]);
    response.catch(() => undefined);
    await sleep(50);
    request.destroy();
    await sleep(100);
    expect(gateway.peers.events).toEqual([]);
    expect(gateway.logged.filter(({ level }) => level !== "info" && level !== "debug")).toEqual([]);
    expect(
      await call(grpc, gateway, machine, readSecrets, { secretIds: [newId("sec")] }),
    ).toMatchObject({
      kind: "reply",
    });
  });

  test("that asks for compression gets none", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    for (const wire of wires) {
      const { headers, ...sent } = signedRequest(wire, gateway, machine, readSecrets, {
        secretIds: [newId("sec")],
      });
      const asking = ["accept-encoding", "grpc-accept-encoding"].map(
        (name) => [name, "gzip"] as const,
      );
      const received = await wire.send(gateway, { ...sent, headers: [...headers, ...asking] });
      expect(readAnswer(readSecrets.output, received).kind).toBe("reply");
      expect(
        [...received.headers.keys()].filter((name) => name.endsWith("-encoding")),
      ).not.toContain("content-encoding");
    }
  });
});

describe("stopping", () => {
  test("answers what is open, on HTTP/1.1 and HTTP/2, and takes no more", async () => {
    await using gateway = await start();
    const machine = gateway.peers.enroll(newMachine());
    const { authorize } = gateway.peers.steps;
    const held = Promise.withResolvers<void>();
    let asked = 0;
    gateway.peers.steps.authorize = async (request, context) => {
      asked += 1;
      await held.promise;
      return authorize(request, context);
    };
    const agent = new Agent({ keepAlive: true });
    const sent = readOf(gateway, machine);
    const { request, response } = post(gateway, sent, [sent.body], agent);
    request.end();
    const other = call(grpc, gateway, machine, readSecrets, { secretIds: [newId("sec")] });
    await expect.poll(() => asked).toBe(2);
    const stopped = gateway[Symbol.asyncDispose]();
    await sleep(50);
    await expect(handshake(gateway.port, { ca: gateway.ca })).rejects.toThrow("ECONNREFUSED");
    held.resolve();
    const answered = await response;
    expect(answered.headers.connection).toBe("close");
    expect(await textOf(answered)).toContain("value");
    expect(await other).toMatchObject({ kind: "reply" });
    const begun = performance.now();
    await stopped;
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  test("does not wait for connections that only stay open", async () => {
    await using gateway = await start();
    const { port, ca } = gateway;
    const silent = connectTcp(port, "localhost");
    await once(silent, "connect");
    const sockets: Socket[] = [silent, await handshake(port, { ca, ALPNProtocols: ["http/1.1"] })];
    sockets.push(await handshake(port, { ca }));
    for (const socket of sockets) socket.on("error", () => undefined);
    const begun = performance.now();
    await gateway[Symbol.asyncDispose]();
    expect(performance.now() - begun).toBeLessThan(2000);
    for (const socket of sockets) socket.destroy();
  });
});

describe("a renewed certificate", () => {
  test("is taken up without a restart, once key and certificate fit together", async () => {
    const dir = mkdtempSync(join(tmpdir(), "sallyport-edge-"));
    const [certFile, keyFile] = [join(dir, "edge.pem"), join(dir, "edge.key")];
    const mesh = pki.tls("gateway");
    copyFileSync(mesh.certFile, certFile);
    copyFileSync(mesh.keyFile, keyFile);
    await using gateway = await startTestGateway({
      certificates: {
        ...pki,
        edge: { certFile, keyFile, caFile: pki.caFile },
        tls: (peer) => pki.tls(peer),
      },
      redisUrl: testRedisUrl(),
      overrides: { certificatePollMs: 20 },
    });
    const open = () =>
      handshake(gateway.port, { ca: gateway.ca, checkServerIdentity: () => undefined });
    const shown = async () => {
      const socket = await open();
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const kept = await open();
    const before = await shown();
    await pki.renew("gateway");
    writeFileSync(certFile, readFileSync(mesh.certFile));
    await sleep(100);
    expect(await shown()).toBe(before);
    writeFileSync(keyFile, readFileSync(mesh.keyFile));
    await expect.poll(shown).not.toBe(before);
    expect(kept.destroyed).toBe(false);
    kept.destroy();
    rmSync(dir, { recursive: true });
  });
});
