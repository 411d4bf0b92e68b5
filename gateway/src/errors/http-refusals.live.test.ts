import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signedRequest } from "../testing/calls.ts";
import { type TestGateway, startTestGateway } from "../testing/gateway.ts";
import { newMachine } from "../testing/keys.ts";
import { type Sent, connectJson } from "../testing/wires.ts";

let pki: TestPki;
let gateway: TestGateway;

beforeAll(async () => {
  pki = await createTestPki();
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl() });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

/** A read that is properly signed. */
function goodRead(): Sent {
  const machine = gateway.peers.enroll(newMachine());
  const { readSecrets } = ReadService.method;
  return signedRequest(connectJson, gateway, machine, readSecrets, { secretIds: [newId("sec")] });
}

type Written = { readonly line: (path: string) => string; readonly framing: string };

/** Writes the read twice on one HTTP/1.1 connection and tells the statuses of what came. */
async function statusesOf({ line, framing }: Written): Promise<string[]> {
  const ca = { host: "localhost", port: gateway.port, ca: gateway.ca };
  const socket = connectTls({ ...ca, ALPNProtocols: ["http/1.1"] }).setEncoding("latin1");
  let text = "";
  socket.on("data", (chunk: string) => (text += chunk)).on("error", () => undefined);
  await once(socket, "secureConnect");
  for (const { url, authority, headers, body } of [goodRead(), goodRead()]) {
    const lines = headers.map(([name, value]) => `${name}: ${value}`);
    const isChunked = framing.startsWith("transfer-encoding");
    const coded = `${body.length.toString(16)}\r\n${Buffer.from(body).toString()}\r\n0\r\n\r\n`;
    const length = isChunked ? framing : `content-length: ${body.length}`;
    const head = [line(url), `host: ${authority}`, ...lines, length].join("\r\n");
    socket.write(`${head}\r\n\r\n${isChunked ? coded : Buffer.from(body).toString()}`);
  }
  const answers = () => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status = ""]) => status);
  let ended = false;
  socket.once("close", () => (ended = true));
  await expect.poll(() => ended || answers().length === 2, { timeout: 5000 }).toBe(true);
  socket.destroy();
  return answers();
}

const post = (version: string) => (path: string) => `POST ${path} HTTP/${version}`;

describe("an HTTP/1.1 request", () => {
  test.each<readonly [string, Written]>([
    ["by its length", { line: post("1.1"), framing: "" }],
    ["in chunks", { line: post("1.1"), framing: "transfer-encoding: chunked" }],
    ["in Chunks", { line: post("1.1"), framing: "transfer-encoding: Chunked" }],
  ])("%s is answered, and so is the one behind it", async (_, written) => {
    expect(await statusesOf(written)).toEqual(["200", "200"]);
  });

  test.each<readonly [string, string, Written]>([
    ["gzip, chunked", "501", { line: post("1.1"), framing: "transfer-encoding: gzip, chunked" }],
    [
      "identity, chunked",
      "501",
      { line: post("1.1"), framing: "transfer-encoding: identity, chunked" },
    ],
    ["HTTP/1.0", "505", { line: post("1.0"), framing: "" }],
    ["HTTP/2.0", "505", { line: post("2.0"), framing: "" }],
  ])("of %s is %s, and nothing behind it is answered", async (_, status, written) => {
    expect(await statusesOf(written)).toEqual([status]);
  });
});

describe("an HTTP/2 header list", () => {
  /** Sends the read with so many bytes of other headers, before our settings can have come. */
  async function sendWith(bytes: number, contentType: string): Promise<Record<string, unknown>> {
    const session = connectHttp2(`https://${gateway.authority}`, { ca: gateway.ca });
    const { url, headers, body } = goodRead();
    const more = Object.fromEntries(
      Array.from({ length: Math.ceil(bytes / 4000) }, (_, n) => [`x-${n}`, "x".repeat(4000)]),
    );
    const signed = Object.fromEntries(headers);
    const stream = session.request({
      ":method": "POST",
      ":path": url,
      ...signed,
      ...more,
      "content-type": contentType,
    });
    stream.on("error", () => undefined).end(body);
    const [told] = (await once(stream, "response")) as [Record<string, unknown>];
    session.destroy();
    return told;
  }

  test("of 12 KiB is read", async () => {
    expect(await sendWith(12_000, "application/json")).toMatchObject({ ":status": 200 });
  });

  test.each([20_000, 48_000])("of %i bytes is 431, also in the first request", async (bytes) => {
    expect(await sendWith(bytes, "application/json")).toMatchObject({ ":status": 431 });
    const told = await sendWith(bytes, "application/grpc");
    expect(told).toMatchObject({ ":status": 200, "grpc-status": "8" });
  });
});
