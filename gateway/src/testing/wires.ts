import { request as requestHttp1 } from "node:https";
import { connect } from "node:http2";
import {
  type DescMessage,
  type JsonValue,
  type MessageShape,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import {
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { frameMessage, unframeMessage } from "@sallyport/proto/signing";
import type { TestGateway } from "./gateway.ts";

/** A request as it goes over the wire: nothing is added to it. */
export type Sent = {
  readonly method: string;
  readonly url: string;
  /** The value of Host or :authority. */
  readonly authority: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  readonly trailers?: Readonly<Record<string, string>>;
};

/** The raw answer. */
export type Received = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly trailers: Headers;
};

/** An answer as a client understands it. */
export type Answer<O extends DescMessage> =
  | { readonly kind: "reply"; readonly message: MessageShape<O> }
  | { readonly kind: "refusal"; readonly refusal: PublicRefusal };

/** A refusal as the public sees it; `text` is all of it. */
export type PublicRefusal = {
  readonly code: Code;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
  /** The signatures of owners among its details. */
  readonly answers: readonly SignedAnswer[];
  readonly text: string;
};

/** A protocol over an HTTP version. */
export type Wire = {
  readonly name: string;
  readonly contentType: string;
  readonly http: 1 | 2;
  send(gateway: Pick<TestGateway, "port" | "ca">, sent: Sent): Promise<Received>;
};

const wire = (name: string, contentType: string, http: 1 | 2): Wire => ({
  name: `${name}, HTTP/${http}`,
  contentType,
  http,
  send: http === 1 ? sendHttp1 : sendHttp2,
});

/** Connect in JSON over HTTP/1.1, as curl speaks it. */
export const connectJson = wire("Connect JSON", "application/json", 1);

/** gRPC. */
export const grpc = wire("gRPC", "application/grpc", 2);

/** Every way in which clients speak to the gateway. */
export const wires: readonly Wire[] = [
  connectJson,
  wire("Connect JSON", "application/json", 2),
  wire("Connect proto", "application/proto", 1),
  wire("Connect proto", "application/proto", 2),
  grpc,
  wire("gRPC+proto", "application/grpc+proto", 2),
];

/** Encodes a message as a content type says. */
export function encode<D extends DescMessage>(
  contentType: string,
  schema: D,
  message: MessageShape<D>,
): Uint8Array {
  if (contentType === "application/json")
    return Buffer.from(JSON.stringify(toJson(schema, message)));
  const bytes = toBinary(schema, message);
  return contentType === "application/proto" ? bytes : frameMessage(bytes);
}

/** Reads an answer in the protocol of its content type. Throws when it is in none. */
export function readAnswer<O extends DescMessage>(schema: O, received: Received): Answer<O> {
  const contentType = received.headers.get("content-type") ?? "";
  if (contentType.startsWith("application/grpc")) return readGrpc(schema, received);
  if (received.status !== 200)
    return { kind: "refusal", refusal: refusalOf(connectErrorOf(received)) };
  if (contentType === "application/json")
    return { kind: "reply", message: fromJson(schema, jsonOf(received.body)) };
  return { kind: "reply", message: fromBinary(schema, received.body) };
}

/** The public part of an error. */
export function refusalOf(error: ConnectError): PublicRefusal {
  const [info] = error.findDetails(ErrorInfoSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const detail = {
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    domain: info?.domain,
  };
  return {
    code: error.code,
    reason: detail.domain === "sallyport" ? detail.reason : "",
    metadata: detail.metadata,
    answers: error.findDetails(SignedAnswerSchema),
    retryAfterMs: retry?.retryDelay && durationMs(retry.retryDelay),
    text: JSON.stringify([error.rawMessage, [...error.metadata], detail]),
  };
}

function jsonOf(body: Uint8Array): JsonValue {
  return JSON.parse(Buffer.from(body).toString()) as JsonValue;
}

function connectErrorOf({ status, headers, body }: Received): ConnectError {
  const none = new ConnectError(`HTTP ${status}`, Code.Unknown);
  if (headers.get("content-type") !== "application/json") return none;
  return errorFromJson(jsonOf(body), headers, none);
}

function readGrpc<O extends DescMessage>(
  schema: O,
  { headers, body, trailers }: Received,
): Answer<O> {
  const error = findTrailerError(trailers.has("grpc-status") ? trailers : headers);
  if (error) return { kind: "refusal", refusal: refusalOf(error) };
  return { kind: "reply", message: fromBinary(schema, unframeMessage(body)) };
}

function sendHttp1({ port, ca }: Pick<TestGateway, "port" | "ca">, sent: Sent): Promise<Received> {
  const headers = [["host", sent.authority], ...sent.headers, ...framing(sent)].flat();
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const request = requestHttp1(
    { host: "localhost", port, ca, method: sent.method, path: sent.url, headers, agent: false },
    (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const pairs = (raw: string[]) =>
          raw.flatMap((name, at) => (at % 2 ? [] : [[name, raw[at + 1] ?? ""]]));
        resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(pairs(response.rawHeaders) as [string, string][]),
          body: Buffer.concat(chunks),
          trailers: new Headers(pairs(response.rawTrailers) as [string, string][]),
        });
      });
    },
  );
  request.on("error", reject);
  if (sent.trailers) request.addTrailers(sent.trailers);
  if (sent.method === "GET") request.end();
  else request.end(sent.body);
  return promise;
}

function framing({ method, headers, body, trailers }: Sent): (readonly [string, string])[] {
  if (method === "GET") return [];
  return trailers || headers.some(([name]) => name === "trailer")
    ? [["transfer-encoding", "chunked"]]
    : [["content-length", String(body.length)]];
}

// Node refuses to send some headers twice without an option; its type declarations do not know the
// option yet.
const duplicatesAllowed = { strictSingleValueFields: false };

function sendHttp2({ port, ca }: Pick<TestGateway, "port" | "ca">, sent: Sent): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>();
  const session = connect(`https://localhost:${port}`, { ca, ...duplicatesAllowed });
  session.on("error", reject);
  const pseudo = [
    ":method",
    sent.method,
    ":path",
    sent.url,
    ":scheme",
    "https",
    ":authority",
    sent.authority,
  ];
  const stream = session.request([...pseudo, ...sent.headers.flat()], {
    waitForTrailers: sent.trailers !== undefined,
    endStream: sent.method === "GET",
  });
  let status = 0;
  let [headers, trailers] = [new Headers(), new Headers()];
  const chunks: Uint8Array[] = [];
  const read = (given: object) =>
    new Headers(
      Object.entries(given).flatMap(([name, value]) =>
        name.startsWith(":") ? [] : [[name, String(value)]],
      ),
    );
  stream.on("response", (given) => {
    status = given[":status"] ?? 0;
    headers = read(given);
  });
  stream.on("trailers", (given) => (trailers = read(given)));
  stream.on("wantTrailers", () => stream.sendTrailers(sent.trailers ?? {}));
  stream.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  stream.on("error", reject);
  stream.on("end", () => {
    resolve({ status, headers, body: Buffer.concat(chunks), trailers });
    session.close();
  });
  if (sent.method !== "GET") stream.end(sent.body);
  return promise.finally(() => session.destroy());
}
