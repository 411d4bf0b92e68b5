import type { ServerResponse } from "node:http";
import { constants } from "node:http2";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { newId } from "@sallyport/proto/ids";
import { contentTypeOf } from "@sallyport/proto/signing";
import { sourceUnitOf } from "@sallyport/proto/address";
import type { Buckets } from "@sallyport/rate-limit";
import { spansOf } from "@sallyport/rpc";
import { inCallersTrace, inSpan, traceparentHeader } from "@sallyport/telemetry";
import type { Authenticate } from "../admission/authenticate.ts";
import { type Call, type Verdict, verdictValues } from "../admission/verdict.ts";
import type { Connections } from "../connections/connections.ts";
import { tidyGrpcMessage } from "../errors/grpc-message.ts";
import {
  type HttpRefusal,
  faultOfHttp,
  httpRefusalAnswer,
  noSuchMethod,
  onlyPost,
  tooMuch,
} from "../errors/http-refusals.ts";
import { limitsOf } from "../limits/method-limits.ts";
import type { Request, Response } from "../limits/open-requests.ts";
import { countHttpRefusal } from "../observability/metrics.ts";
import { contentBounds, readBody } from "../verification/body.ts";
import type { ArrivedRequest } from "../verification/checklist.ts";
import { timeoutOf } from "./client-deadline.ts";

/** The dependencies of the request handler. */
export type RequestHandlerParts = {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly authenticate: Authenticate;
  readonly sourceOf: Connections["sourceOf"];
  readonly addresses: Pick<Buckets, "take">;
  /** Aborts when the server stops taking connections. */
  readonly draining: AbortSignal;
  /** The time a client has to read its answer, in milliseconds. */
  readonly answerMs: number;
  /** Receives our own faults. */
  onFault(error: unknown): void;
};

const spanOf = spansOf("server");
const unreadMs = 500;
const maxClientLength = 64;

/**
 * Answers one request. A request that is wrong as HTTP, names no method of ours, or is not a POST
 * is refused in the protocol of its content type; any other is authenticated and handled.
 */
export async function handleRequest(
  request: Request,
  response: Response,
  parts: RequestHandlerParts,
): Promise<void> {
  const gone = new AbortController();
  for (const event of ["close", "error"]) response.once(event, () => gone.abort());
  request.on("error", () => gone.abort());
  releaseUnread(request, response);
  const path = pathOf(request.url ?? "");
  const sourceIp = parts.sourceOf(request.socket);
  const refuse = (refusal: HttpRefusal): void => {
    endUnread(response, parts.answerMs);
    writeRefusal(request, response, refusal, parts.addresses.take(sourceUnitOf(sourceIp)));
  };
  const fault = faultOfHttp(request);
  if (fault) return refuse(fault);
  const handler = parts.handlers.get(path);
  if (!handler) return refuse(noSuchMethod(path));
  // A GET is of the Connect protocol: the checklist refuses it, with the reason.
  if (request.method !== "POST" && request.method !== "GET") return refuse(onlyPost);
  const requestId = newId("req");
  await inCallersTrace(request.headers[traceparentHeader], () =>
    inSpan(spanOf(path), (span) => {
      span.set({ "sallyport.request_id": requestId });
      return exchange(
        { request, response, path, sourceIp, requestId, handler, gone: gone.signal },
        parts,
      );
    }),
  );
}

type Exchange = {
  readonly request: Request;
  readonly response: Response;
  readonly path: string;
  readonly sourceIp: string;
  readonly requestId: string;
  readonly handler: UniversalHandler;
  readonly gone: AbortSignal;
};

async function exchange(
  { request, response, path, sourceIp, requestId, handler, gone }: Exchange,
  parts: RequestHandlerParts,
): Promise<void> {
  let verdict: Verdict | undefined;
  try {
    const arrived = arrivedOf(request, path, sourceIp);
    verdict = await parts.authenticate(arrived, path, callOf(request, requestId));
    if (gone.aborted) return;
    if (verdict.kind === "refused") request.resume();
    const answered = await handler(toUniversal(request, path, verdict, gone));
    if (isHttp1(response) && (parts.draining.aborted || !request.complete))
      response.setHeader("connection", "close");
    tidyGrpcMessage(answered.trailer);
    if (!gone.aborted) endUnread(response, parts.answerMs);
    // The writer waits for an event that a response does not have, and may wait forever: its end
    // is its close.
    await Promise.race([universalResponseToNodeResponse(answered, response), aborted(gone)]);
  } catch (error) {
    if (gone.aborted) return;
    parts.onFault(error);
    fail(response);
  } finally {
    // The slot and the content outlast the answer where its client had less time than the work.
    if (verdict?.kind === "verified") void verdict.held[Symbol.asyncDispose]();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function arrivedOf(request: Request, path: string, sourceIp: string): ArrivedRequest {
  return {
    method: request.method ?? "",
    url: request.url ?? "",
    rawHeaders: request.rawHeaders,
    sourceIp,
    client: clientOf(request),
    readBody: (memory) => readBody(request, contentBounds(limitsOf(path).contentBytes), memory),
  };
}

function callOf(request: Request, requestId: string): Call {
  return { requestId, arrivedMs: performance.now(), timeoutMs: timeoutOf(request.headers) };
}

// Used to find the handler only; the checklist refuses every form but the plain path.
function pathOf(url: string): string {
  if (!url.startsWith("/")) return URL.canParse(url) ? new URL(url).pathname : "";
  return url.split(/[?#]/, 1)[0] ?? "";
}

function isHttp1(response: Response): response is ServerResponse {
  return !("stream" in response);
}

// It costs a token of its address like every request, or asking for nothing would be free.
function writeRefusal(
  request: Request,
  response: Response,
  refusal: HttpRefusal,
  waitMs: number,
): void {
  countHttpRefusal(refusal.status);
  const given = waitMs > 0 ? tooMuch : refusal;
  const spoken = isOfProtocol(given) ? request.headers["content-type"] : undefined;
  const { status, headers, content } = httpRefusalAnswer(spoken, given);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (waitMs > 0) response.setHeader("retry-after", Math.ceil(waitMs / 1000));
  if (given.status === 405) response.setHeader("allow", "POST");
  // Security: where the next request begins is not sure.
  if (isHttp1(response) && isFraming(refusal)) response.setHeader("connection", "close");
  request.resume();
  if (content) response.end(content);
  else response.end();
}

// A request that is no POST, or no HTTP/1.1, is in no protocol of RPCs.
function isOfProtocol({ status }: HttpRefusal): boolean {
  return status === 404 || status === 429 || status === 431;
}

function isFraming({ status }: HttpRefusal): boolean {
  return status === 501 || status === 505;
}

function fail(response: Response): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = 500;
  response.end();
}

// A client that is answered before it has sent everything could keep the connection busy for ever.
// It gets the time to read the answer: a reset overtakes what is not sent yet.
function releaseUnread(request: Request, response: Response): void {
  response.once("finish", () => {
    if (!request.complete) setTimeout(() => request.destroy(), unreadMs).unref();
  });
}

// A client that opens no window for its answer would keep it, and us, waiting.
function endUnread(response: Response, afterMs: number): void {
  const timer = setTimeout(() => {
    if (isHttp1(response)) response.destroy();
    else response.stream.close(constants.NGHTTP2_CANCEL);
  }, afterMs);
  response.once("close", () => clearTimeout(timer));
}

// Anyone can claim anything here: characters that break a log line or a terminal are left out.
function clientOf(request: Request): string {
  return (request.headers["user-agent"] ?? "").replaceAll(/[^ -~]/g, "").slice(0, maxClientLength);
}

// The router gets an empty message and, of the headers, the content type alone. Connect's handlers
// speak the client's protocol and need a message to decode; the request must not be it. It was
// signed as bytes, and its owner decodes these strictly, once (SIGNING §5.4): a message decoded
// here as well could mean something else than was signed, and somebody would read it one day. The
// signed bytes travel in the verdict. A content type outside the list is answered in the protocol
// nearest to it.
function toUniversal(
  request: Request,
  path: string,
  verdict: Verdict,
  signal: AbortSignal,
): UniversalServerRequest {
  const contentType = spokenType(request.headers["content-type"] ?? "");
  const content = emptyMessage(contentType);
  return {
    httpVersion: request.httpVersion,
    method: "POST",
    url: `https://gateway${path}`,
    header: new Headers({ "content-type": contentType }),
    body: (async function* () {
      yield content;
    })(),
    signal,
    contextValues: verdictValues(verdict),
  };
}

function spokenType(contentType: string): string {
  if (contentTypeOf(contentType)) return contentType;
  return contentType.startsWith("application/grpc") ? "application/grpc" : "application/json";
}

function emptyMessage(contentType: string): Uint8Array {
  if (contentType === "application/json") return Buffer.from("{}");
  return contentType.startsWith("application/grpc") ? new Uint8Array(5) : new Uint8Array();
}
