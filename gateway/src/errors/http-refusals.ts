import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { escapeGrpcMessage } from "./grpc-message.ts";

/** The refusal of a request without authentication: HTTP's status, the code of RPCs, a sentence. */
export type HttpRefusal = {
  readonly status: 404 | 405 | 429 | 431 | 501 | 505;
  readonly code: Code;
  readonly sentence: string;
};

/**
 * An answer that has no message: its headers, and in protocols that have no status in them the
 * content.
 */
export type HttpRefusalAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Uint8Array | undefined;
};

/**
 * Largest size of a header list in bytes, as HTTP/2 counts it: names, values, and 32 for each field
 * (RFC 9113 §6.5.2).
 */
export const maxHeaderListBytes = 16 * 1024;

const fieldOverheadBytes = 32;

/**
 * Returns the fault of a request as HTTP, before its content is interpreted; undefined when there
 * is none. Security: Node takes a coding that it does not undo for content, and some other versions
 * for HTTP/1.1: a proxy in front could cut the connection into other requests than we do. Over
 * HTTP/2 Node enforces the size of a header list only once the client has acknowledged our
 * settings, which is up to the client.
 */
export function faultOfHttp(
  request: IncomingMessage | Http2ServerRequest,
): HttpRefusal | undefined {
  if ("stream" in request) return isTooLong(request.rawHeaders) ? tooLong : undefined;
  if (request.httpVersion !== "1.1") return otherVersion;
  const coding = request.headers["transfer-encoding"];
  return coding === undefined || coding.toLowerCase() === "chunked" ? undefined : otherCoding;
}

function isTooLong(rawHeaders: readonly string[]): boolean {
  const bytes = rawHeaders.reduce((sum, text) => sum + text.length, 0);
  return bytes + (rawHeaders.length / 2) * fieldOverheadBytes > maxHeaderListBytes;
}

const tooLong: HttpRefusal = {
  status: 431,
  code: Code.ResourceExhausted,
  sentence: `a request's headers may have ${maxHeaderListBytes} bytes`,
};
const otherVersion: HttpRefusal = {
  status: 505,
  code: Code.Unimplemented,
  sentence: "HTTP/1.1 and HTTP/2 are spoken here: without TLS's ALPN a request line says HTTP/1.1",
};
const otherCoding: HttpRefusal = {
  status: 501,
  code: Code.Unimplemented,
  sentence: "the only transfer coding is chunked: send content as it is",
};

/** The answer to any method but POST; a GET of a method of ours is refused by the checklist. */
export const onlyPost: HttpRefusal = {
  status: 405,
  code: Code.Unimplemented,
  sentence: "every method is called by POST",
};

/** The answer to an address that has sent too much. */
export const tooMuch: HttpRefusal = {
  status: 429,
  code: Code.ResourceExhausted,
  sentence: "too many requests from this address: wait, and send fewer",
};

/**
 * The answer to a path of no public method. Methods that are served elsewhere get the same answer
 * as those that do not exist, but for two services that tools ask every server for.
 */
export function noSuchMethod(path: string): HttpRefusal {
  return { status: 404, code: Code.Unimplemented, sentence: sentenceFor(path) };
}

function sentenceFor(path: string): string {
  if (path.startsWith("/grpc.health."))
    return "no health here: ask the probe listener, with a certificate of the deployment";
  if (path.startsWith("/grpc.reflection."))
    return "there is no reflection: give your tool the .proto files of the folder proto";
  return "there is no such method: see the folder proto for those that there are";
}

/**
 * Says it in the protocol that a content type names, as the caller's library reads it: gRPC and
 * gRPC-Web in headers alone, Connect's streams in their last frame, everything else as JSON.
 */
export function httpRefusalAnswer(
  contentType: string | undefined,
  { status, code, sentence }: HttpRefusal,
): HttpRefusalAnswer {
  const [type = ""] = (contentType ?? "").toLowerCase().split(";", 1);
  if (/^application\/grpc(-web(-text)?)?(\+[a-z]+)?$/.test(type)) {
    const headers = { "grpc-status": String(code), "grpc-message": escapeGrpcMessage(sentence) };
    return { status: 200, headers: { "content-type": type, ...headers }, content: undefined };
  }
  const error = { code: codeToString(code), message: sentence };
  if (/^application\/connect\+[a-z]+$/.test(type)) {
    const content = lastFrame(Buffer.from(JSON.stringify({ error })));
    return { status: 200, headers: { "content-type": type }, content };
  }
  const content = Buffer.from(JSON.stringify(error));
  return { status, headers: { "content-type": "application/json" }, content };
}

function lastFrame(content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(2, 0);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}
