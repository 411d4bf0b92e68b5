import { Client, InterceptingCall, type Interceptor, credentials, status } from "@grpc/grpc-js";
import {
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport, createClient } from "@connectrpc/connect";
import { Http2SessionManager, createNodeHttpClient } from "@connectrpc/connect-node";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnect } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpc } from "@connectrpc/connect/protocol-grpc";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { frameMessage } from "@sallyport/proto/signing";
import { fail, toRefusal } from "@sallyport/rpc";
import { type TestPki, createTestPki, testRedisUrl } from "@sallyport/test/infra";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { methodPath } from "@sallyport/proto/names/method-path";
import { type TestGateway, startTestGateway } from "./testing/gateway.ts";
import { type TestKey, newMachine, signatureHeaders } from "./testing/keys.ts";
import { refusalOf } from "./testing/wires.ts";

let pki: TestPki;
let gateway: TestGateway;

beforeAll(async () => {
  pki = await createTestPki();
  // One principal may have 64 at once, however slow this machine is.
  const config = { concurrencyLimit: 256 };
  gateway = await startTestGateway({ certificates: pki, redisUrl: testRedisUrl(), config });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});
beforeEach(() => void gateway.peers.reached.splice(0));

const { readSecrets } = ReadService.method;

/** A recipe of SIGNING §12.2: the bytes that are sent are the bytes that are signed. */
function signing(send: UniversalClientFn, key: TestKey): UniversalClientFn {
  return async (request) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request.body ?? []) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { host: authority, pathname: path } = new URL(request.url);
    const contentType = request.header.get("content-type") ?? "";
    const header = new Headers(request.header);
    const signed = signatureHeaders(key, { authority, path, contentType, body });
    for (const [name, value] of Object.entries(signed)) header.set(name, value);
    const content = (async function* () {
      yield new Uint8Array(body);
    })();
    return send({ ...request, header, body: content });
  };
}

type Connection = { readonly transport: Transport; readonly close: () => void };

function connectNode(
  protocol: "Connect" | "gRPC",
  json: boolean,
  http: 1 | 2,
  key: TestKey,
): Connection {
  const baseUrl = `https://${gateway.authority}`;
  const session = new Http2SessionManager(baseUrl, {}, { ca: gateway.ca });
  const send =
    http === 2
      ? createNodeHttpClient({ httpVersion: "2", sessionProvider: () => session })
      : createNodeHttpClient({ httpVersion: "1.1", nodeOptions: { ca: gateway.ca } });
  const options = {
    httpClient: signing(send, key),
    baseUrl,
    useBinaryFormat: !json,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: 4 * 1024 * 1024,
    writeMaxBytes: 4 * 1024 * 1024,
  };
  const transport = protocol === "Connect" ? createConnect(options) : createGrpc(options);
  return { transport, close: () => session.abort() };
}

describe.each([
  ["Connect", "proto", 1],
  ["Connect", "proto", 2],
  ["Connect", "JSON", 1],
  ["Connect", "JSON", 2],
  ["gRPC", "proto", 2],
] as const)("connect-node, %s %s over HTTP/%d", (protocol, format, http) => {
  const connect = (key: TestKey) => connectNode(protocol, format === "JSON", http, key);

  test("reads", async () => {
    const { transport, close } = connect(gateway.peers.enroll(newMachine()));
    const secretIds = [newId("sec"), newId("sec")];
    const { secrets } = await createClient(ReadService, transport).readSecrets({ secretIds });
    expect(secrets.map(({ secretId }) => secretId).toSorted()).toEqual(secretIds.toSorted());
    close();
  });

  test("is told why it is refused", async () => {
    const { transport, close } = connect(
      gateway.peers.enroll(newMachine(), Reason.MACHINE_EXPIRED),
    );
    const error = await createClient(ReadService, transport)
      .readSecrets({ allGranted: true })
      .catch((thrown: unknown) => ConnectError.from(thrown));
    if (!(error instanceof ConnectError)) throw new Error("it was answered");
    expect(refusalOf(error)).toMatchObject({
      code: Code.Unauthenticated,
      reason: "MACHINE_EXPIRED",
    });
    expect(error.rawMessage).toBe(
      "the lifetime of this machine or device key is over: enroll a new machine, or log in again",
    );
    expect(gateway.peers.reached).toEqual([]);
    close();
  });

  test("shares one connection among many requests", async () => {
    const { transport, close } = connect(gateway.peers.enroll(newMachine()));
    const client = createClient(ReadService, transport);
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => client.readSecrets({ secretIds: [newId("sec")] })),
    );
    expect(replies.every(({ secrets }) => secrets.length === 1)).toBe(true);
    close();
  });
});

/** A recipe of SIGNING §12.3: the call is held until its message is known. */
function grpcJs(key: TestKey): Client {
  const interceptor: Interceptor = (options, nextCall) => {
    const { path, requestSerialize } = options.method_definition;
    let begin: ((signed: Record<string, string>) => void) | undefined;
    return new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        begin = (signed) => {
          for (const [name, value] of Object.entries(signed)) metadata.set(name, value);
          next(metadata, listener);
        };
      },
      sendMessage(message, next) {
        const body = frameMessage(requestSerialize(message));
        const { authority } = gateway;
        begin?.(signatureHeaders(key, { authority, path, contentType: "application/grpc", body }));
        next(message);
      },
    });
  };
  return new Client(gateway.authority, credentials.createSsl(Buffer.from(gateway.ca)), {
    interceptors: [interceptor],
    "grpc.enable_retries": 0,
  });
}

function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  init: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
  client.makeUnaryRequest<MessageShape<I>, MessageShape<O>>(
    methodPath(method),
    (message) => Buffer.from(toBinary(method.input, message)),
    (bytes) => fromBinary(method.output, bytes),
    create(method.input, init),
    (error, reply) => (reply ? resolve(reply) : reject(error ?? new Error("no reply"))),
  );
  return promise;
}

describe("@grpc/grpc-js", () => {
  test("reads", async () => {
    const client = grpcJs(gateway.peers.enroll(newMachine()));
    const secretIds = [newId("sec")];
    const { secrets } = await unary(client, readSecrets, { secretIds });
    expect(secrets.map(({ secretId }) => secretId)).toEqual(secretIds);
    client.close();
  });

  test("is told why it is refused", async () => {
    const client = grpcJs(gateway.peers.enroll(newMachine(), Reason.MACHINE_DISABLED));
    await expect(unary(client, readSecrets, { allGranted: true })).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
      details:
        "this machine is disabled or revoked, or this device signed out: ask an admin of the vault",
    });
    expect(gateway.peers.reached).toEqual([]);
    client.close();
  });

  test("is told of a field in whatever script", async () => {
    const { authorize } = gateway.peers.steps;
    const description = "100 % wrong: größer, 長い";
    gateway.peers.steps.authorize = ({ items }) => ({
      results: items.map(({ requestDigest }) => ({
        requestDigest,
        refusal: toRefusal(fail(Reason.FIELD_INVALID, { field: "secret_ids", description })),
      })),
    });
    const client = grpcJs(gateway.peers.enroll(newMachine()));
    await expect(unary(client, readSecrets, { allGranted: true })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: `a field is not valid: secret_ids: ${description}`,
    });
    gateway.peers.steps.authorize = authorize;
    client.close();
  });

  test("finds no method that is not public", async () => {
    const client = grpcJs(gateway.peers.enroll(newMachine()));
    const unknown = { ...readSecrets, name: "Nothing" };
    await expect(unary(client, unknown, { allGranted: true })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
    client.close();
  });
});

test("a client that gives up is not answered, and the gateway goes on", async () => {
  const { authorize } = gateway.peers.steps;
  const asked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  gateway.peers.steps.authorize = async (request, context) => {
    asked.resolve();
    await held.promise;
    return authorize(request, context);
  };
  const { transport, close } = connectNode("gRPC", false, 2, gateway.peers.enroll(newMachine()));
  const leave = new AbortController();
  const reading = createClient(ReadService, transport).readSecrets(
    { secretIds: [newId("sec")] },
    { signal: leave.signal },
  );
  await asked.promise;
  leave.abort();
  await expect(reading).rejects.toMatchObject({ code: Code.Canceled });
  held.resolve();
  gateway.peers.steps.authorize = authorize;
  const { secrets } = await createClient(ReadService, transport).readSecrets({
    secretIds: [newId("sec")],
  });
  expect(secrets).toHaveLength(1);
  expect(gateway.logged.filter(({ level }) => level === "error")).toEqual([]);
  close();
});
