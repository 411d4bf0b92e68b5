import { createSecureServer } from "node:http2";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, type Server, createServer as createTcp } from "node:net";
import { createClient } from "@connectrpc/connect";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { type TestEdge, createTestEdge } from "@sallyport/test/infra";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { toSallyportError } from "./errors.ts";
import { newSeed } from "../node/keys.ts";
import { createSigner } from "../node/signer.ts";
import { createSignedTransport } from "../node/transport.ts";

let edge: TestEdge;
let other: TestEdge;
const stops: (() => unknown)[] = [];
beforeAll(async () => {
  [edge, other] = await Promise.all([createTestEdge(["localhost"]), createTestEdge(["localhost"])]);
});
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const tls = () => ({ cert: edge.cert, key: edge.key });
const answering = (status: number, type: string, body: string) => () =>
  createSecureServer(tls(), (_, response) => {
    response.writeHead(status, { "content-type": type, location: "https://login.example/" });
    response.end(body);
  });
const html = (status: number) => answering(status, "text/html", "<html>not yours</html>");

type Case = readonly [name: string, serve: () => Server, cause: string, sentence: RegExp];
const cases: readonly Case[] = [
  [
    "HTTP/1.1 alone",
    () => createHttps(tls()),
    "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    /does not speak HTTP\/2$/,
  ],
  ["HTTP without TLS", () => createHttp(), "ERR_SSL_WRONG_VERSION_NUMBER", /does not speak TLS$/],
  [
    "SSH",
    () => createTcp((socket) => socket.end("SSH-2.0-x\r\n")),
    "ERR_SSL_WRONG_VERSION_NUMBER",
    /does not speak TLS$/,
  ],
  [
    "200 with a page",
    html(200),
    "NOT_A_GATEWAY",
    /is no gateway \(unsupported content type text\/html\)/,
  ],
  ["301", html(301), "NOT_A_GATEWAY", /is no gateway \(HTTP 301\)/],
  ["401", html(401), "NOT_A_GATEWAY", /is no gateway \(HTTP 401\)/],
  ["403", html(403), "NOT_A_GATEWAY", /is no gateway \(HTTP 403\)/],
  ["404", html(404), "NOT_A_GATEWAY", /is no gateway \(HTTP 404\)/],
  [
    "404 in JSON",
    answering(404, "application/json", '{"error":"x"}'),
    "NOT_A_GATEWAY",
    /is no gateway/,
  ],
  ["500", html(500), "NOT_A_GATEWAY", /is no gateway \(HTTP 500\)/],
  ["502", html(502), "UNAVAILABLE", /HTTP 502/],
];

async function failureOf(
  serve: () => Server,
  protocol: "connect" | "grpc",
  ca = edge.ca,
  host = "localhost",
) {
  const server = serve();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  stops.push(() => server.close());
  const url = `https://${host}:${(server.address() as AddressInfo).port}`;
  const signer = createSigner(newSeed(), "mch_00000000000000000000");
  const { transport, close } = createSignedTransport(
    { url, ca, rootFingerprint: "f" },
    signer,
    protocol,
    {
      env: {},
    },
  );
  stops.push(close);
  return createClient(ReadService, transport).getKeyset({}).catch(toSallyportError);
}

describe.each(["connect", "grpc"] as const)("over %s, in the place of a gateway", (protocol) => {
  test.each(cases)("%s is told for what it is", async (_, serve, cause, sentence) => {
    const failure = await failureOf(serve, protocol);
    expect(failure).toMatchObject({ reason: "UNREACHABLE", metadata: { cause } });
    const { message } = failure as Error;
    expect(message).toMatch(sentence);
    expect(message).not.toMatch(/\n|openssl|routines/);
  });

  test("a certificate of another CA is not the same as one for another name", async () => {
    const untrusted = await failureOf(() => createSecureServer(tls()), protocol, other.ca);
    expect(untrusted).toMatchObject({ metadata: { cause: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" } });
    expect((untrusted as Error).message).toMatch(
      /certificate is of a CA that is not trusted here$/,
    );
    const misnamed = await failureOf(
      () => createSecureServer(tls()),
      protocol,
      edge.ca,
      "127.0.0.1",
    );
    expect(misnamed).toMatchObject({ metadata: { cause: "ERR_TLS_CERT_ALTNAME_INVALID" } });
    expect((misnamed as Error).message).toMatch(
      /certificate is for localhost, not for 127\.0\.0\.1$/,
    );
  });
});
