import { connect } from "node:http2";
import { Client, Metadata, type ServiceError, credentials } from "@grpc/grpc-js";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { endStreamFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { SallyportError } from "@sallyport/client";
import { RetryInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { maxContentBytes } from "@sallyport/proto/signing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProxyRefusal, refusalAnswer, refusalOf } from "./refusal.ts";
import { secretHeader } from "./secret.ts";
import { type ProxyServer, startProxyServer } from "./server.ts";

const whoAmI = "/sallyport.identity.v1.UserService/WhoAmI";
const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const frame = (length: number) => {
  const bytes = Buffer.alloc(5 + length);
  bytes.writeUInt32BE(length, 1);
  return bytes;
};

let server: ProxyServer;
/** What comes of a request that the proxy itself lets through. */
let fate: ProxyRefusal | Error;
beforeAll(async () => {
  server = await startProxyServer(
    { kind: "port", host: "127.0.0.1", port: 0 },
    { forward: () => Promise.reject(fate) },
  );
});
afterAll(() => server[Symbol.asyncDispose]());

type Ask = {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly fate?: ProxyRefusal | Error;
};

const silent = new ProxyRefusal(Code.Unavailable, "the gateway at host did not answer", 1500);
/** Every refusal that a gRPC tool can come upon, with the code and the sentence it has to show. */
const refusals: readonly [name: string, ask: Ask, code: Code, sentence: RegExp][] = [
  ["reflection (grpcurl list)", { path: reflection }, Code.Unimplemented, /without reflection/],
  [
    "an internal method",
    { path: "/sallyport.crypto.internal.v1.OpenService/Open" },
    Code.Unimplemented,
    /public/,
  ],
  [
    "another name than its own",
    { headers: { ":authority": "evil.example" } },
    Code.PermissionDenied,
    /not called/,
  ],
  [
    "a web page",
    { headers: { origin: "https://evil.example" } },
    Code.PermissionDenied,
    /web pages/,
  ],
  [
    "a port without its secret",
    { headers: { [secretHeader]: "" } },
    Code.Unauthenticated,
    /secret/,
  ],
  [
    "compression (ghz -e)",
    { headers: { "grpc-encoding": "gzip" } },
    Code.Unimplemented,
    /grpc-encoding/,
  ],
  ["a body that is too large", { body: frame(maxContentBytes) }, Code.ResourceExhausted, /96 KiB/],
  ["a gateway that does not answer", { fate: silent }, Code.Unavailable, /did not answer/],
  [
    "an answer that its owner did not sign",
    { fate: new ProxyRefusal(Code.DataLoss, "not trusted") },
    Code.DataLoss,
    /trusted/,
  ],
  ["a fault of its own", { fate: new Error("oops") }, Code.Internal, /could not be handled/],
];

/**
 * One gRPC request in HTTP/2, and the frames that came back: the flags of each, and its content.
 */
async function frames({ path = whoAmI, headers, body = frame(0) }: Ask) {
  const session = connect(server.url);
  const grpc = {
    "content-type": "application/grpc",
    te: "trailers",
    [secretHeader]: server.secret ?? "",
  };
  const stream = session.request({ ":method": "POST", ":path": path, ...grpc, ...headers });
  const seen: string[] = [];
  let head: Record<string, unknown> = {};
  stream.on("response", (given, flags) => {
    head = given;
    seen.push(`HEADERS ${flags & 1 ? "END_STREAM" : ""}`.trim());
  });
  stream.on("trailers", () => seen.push("TRAILERS"));
  stream.on("data", (chunk: Buffer) => seen.push(`DATA ${chunk.length}`));
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.on("error", () => undefined).end(body);
  await closed;
  session.destroy();
  return { seen, head };
}

describe.each(refusals)("%s", (_, ask, code, sentence) => {
  test("is Trailers-Only: one HEADERS frame that ends the stream", async () => {
    fate = ask.fate ?? new Error("it came through");
    const { seen, head } = await frames(ask);
    expect(seen).toEqual(["HEADERS END_STREAM"]);
    expect(head).toMatchObject({ ":status": 200, "grpc-status": String(code) });
    expect(decodeURIComponent(String(head["grpc-message"]))).toMatch(sentence);
  });

  test("is shown by @grpc/grpc-js with its code and its sentence", async () => {
    fate = ask.fate ?? new Error("it came through");
    const { ":authority": authority, "grpc-encoding": encoding, ...headers } = ask.headers ?? {};
    const options = {
      ...(authority === undefined ? {} : { "grpc.default_authority": authority }),
      ...(encoding === undefined ? {} : { "grpc.default_compression_algorithm": 2 }),
    };
    const client = new Client(new URL(server.url).host, credentials.createInsecure(), options);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries({ [secretHeader]: server.secret ?? "", ...headers }))
      metadata.set(name, value);
    const message = Buffer.from((ask.body ?? frame(0)).subarray(5));
    const same = (bytes: Buffer) => bytes;
    const failure = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(ask.path ?? whoAmI, same, same, message, metadata, resolve);
    });
    client.close();
    expect(failure?.code).toBe(code);
    expect(failure?.details).toMatch(sentence);
  });
});

test("the delay after which a silent gateway may be asked again goes with it", async () => {
  fate = silent;
  const { head } = await frames({});
  const error = findTrailerError(new Headers(Object.entries(head).slice(1) as [string, string][]));
  const [retry] = error?.findDetails(RetryInfoSchema) ?? [];
  expect(retry?.retryDelay).toEqual(durationFromMs(1500));
});

test.each([
  ["Connect", createConnectTransport, Code.PermissionDenied],
  ["gRPC", createGrpcTransport, Code.PermissionDenied],
  ["gRPC-Web", createGrpcWebTransport, Code.PermissionDenied],
] as const)("Connect's own client shows it over %s", async (_, createTransport, code) => {
  const transport = createTransport({
    baseUrl: server.url,
    httpVersion: "2",
    interceptors: [
      (next) => (request) => {
        request.header.set(secretHeader, server.secret ?? "");
        request.header.set("origin", "https://evil.example");
        return next(request);
      },
    ],
  });
  const failure = await createClient(UserService, transport)
    .whoAmI({})
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code });
  expect((failure as ConnectError).rawMessage).toMatch(/web pages/);
});

test("a stream of Connect is refused by its last message, and gRPC-Web in its own type", () => {
  const refusal = new ProxyRefusal(Code.Unimplemented, "streams are not signed");
  const stream = refusalAnswer("application/connect+json", refusal);
  expect(stream).toMatchObject({
    status: 200,
    headers: { "content-type": "application/connect+json" },
  });
  expect(stream.body[0]).toBe(2);
  const { error } = endStreamFromJson(stream.body.subarray(5));
  expect(error).toMatchObject({ code: Code.Unimplemented });
  for (const type of [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
  ])
    expect(refusalAnswer(type, refusal)).toMatchObject({
      status: 200,
      headers: { "content-type": type, "grpc-status": "12" },
    });
});

test.each([
  [
    new SallyportError("UNREACHABLE", "no", { cause: new ConnectError("no", Code.Unknown) }),
    Code.Unavailable,
  ],
  [new SallyportError("DEPENDENCY_UNAVAILABLE", "no", { retryAfterMs: 200 }), Code.Unavailable],
  [new SallyportError("REPLY_UNTRUSTED", "no"), Code.DataLoss],
  [new SallyportError("ROOT_CHANGED", "no"), Code.DataLoss],
  [
    new SallyportError("MACHINE_DISABLED", "no", {
      cause: new ConnectError("no", Code.Unauthenticated),
    }),
    Code.Unauthenticated,
  ],
])("%s of the library is refused with the code %i", (error, code) => {
  const refusal = refusalOf(error);
  expect(refusal).toMatchObject({ code, message: "no" });
  expect(refusal.retryAfterMs).toBe(error.retryAfterMs);
  expect(durationMs(durationFromMs(refusal.retryAfterMs ?? 0))).toBe(error.retryAfterMs ?? 0);
});
