import { readFileSync } from "node:fs";
import { type Http2SecureServer, type Http2ServerRequest, createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { IncomingMessage, Server } from "node:http";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { newId } from "@sallyport/proto/ids";
import { type Verdict, verdictValues } from "./router.ts";
import type { ArrivedRequest } from "./verify/checklist.ts";
import { readBody } from "./verify/body.ts";
import { acceptedContentTypes } from "./verify/headers.ts";

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeServerResponse = Parameters<typeof universalResponseToNodeResponse>[1];

/** What the edge needs: where to listen, its certificate, the front's verdict and the handlers behind it. */
export type EdgeOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly certFile: string;
  readonly keyFile: string;
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  judge(request: ArrivedRequest, requestId: string): Promise<Verdict>;
};

const bodyTimeoutMs = 10_000;
const passedHeaders = ["content-type", "connect-protocol-version", "connect-timeout-ms", "grpc-timeout", "te"];
const drainMs = 5_000;

/** Opens the public HTTPS listener, HTTP/2 and HTTP/1.1. Disposing drains: open requests are answered first. */
export async function openEdge(options: EdgeOptions): Promise<{ port: number } & AsyncDisposable> {
  const server = createSecureServer({
    cert: readFileSync(options.certFile),
    key: readFileSync(options.keyFile),
    minVersion: "TLSv1.3",
    allowHTTP1: true,
    maxHeaderListPairs: 100,
    maxSessionInvalidFrames: 100,
    settings: { maxConcurrentStreams: 100, maxHeaderListSize: 16 * 1024, enablePush: false },
    unknownProtocolTimeout: 5_000,
  });
  server.setTimeout(120_000);
  const sessions = new Set<{ close(): void; destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => undefined); // A client that breaks off is no fault of ours.
  });
  server.on("request", (request, response) => void answer(request, response, options));
  await listening(server, options.listen);
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => drain(server, sessions) };
}

function listening(server: Http2SecureServer, { host, port }: EdgeOptions["listen"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
}

async function drain(server: Http2SecureServer, sessions: Set<{ close(): void; destroy(): void }>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.close();
  (server as unknown as Partial<Pick<Server, "closeIdleConnections">>).closeIdleConnections?.();
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy();
    (server as unknown as Partial<Pick<Server, "closeAllConnections">>).closeAllConnections?.();
  }, drainMs);
  await closed;
  clearTimeout(timer);
}

async function answer(request: NodeRequest, response: NodeServerResponse, options: EdgeOptions): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  request.on("error", () => gone.abort());
  try {
    const handler = options.handlers.get(request.url ?? "");
    if (!handler) return end(response, 404);
    const contentType = request.headers["content-type"] ?? "";
    // Without one of these there is no protocol in which a refusal could be told.
    if (!acceptedContentTypes.has(contentType)) return end(response, 415);
    const requestId = newId("req");
    let body: Uint8Array | undefined;
    const arrived: ArrivedRequest = {
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      sourceIp: addressOf(request),
      readBody: async () => (body = await readBody(request, bodyTimeoutMs)),
    };
    const verdict = await options.judge(arrived, requestId);
    if (body === undefined) response.once("finish", () => request.destroy());
    const content = verdict.kind === "verified" && body ? body : emptyMessage(contentType);
    await universalResponseToNodeResponse(await handler(toUniversal(request, content, verdict, gone.signal)), response);
  } catch {
    if (!gone.signal.aborted) end(response, 500);
  }
}

function end(response: NodeServerResponse, status: number): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status);
  response.end();
}

function addressOf(request: NodeRequest): string {
  return (request.socket.remoteAddress ?? "0.0.0.0").replace(/^::ffff:(?=\d+\.)/, "");
}

// The router decodes the very bytes that were verified; a refused request is decoded as an empty message.
function toUniversal(request: NodeRequest, body: Uint8Array, verdict: Verdict, signal: AbortSignal): UniversalServerRequest {
  const header = new Headers();
  for (const name of passedHeaders) {
    const value = request.headers[name];
    if (typeof value === "string") header.set(name, value);
  }
  return {
    httpVersion: request.httpVersion,
    method: "POST",
    url: `https://gateway${request.url ?? ""}`,
    header,
    body: (async function* () {
      yield body;
    })(),
    signal,
    contextValues: verdictValues(verdict),
  };
}

function emptyMessage(contentType: string): Uint8Array {
  if (contentType === "application/json") return Buffer.from("{}");
  return contentType.startsWith("application/grpc") ? new Uint8Array(5) : new Uint8Array();
}
