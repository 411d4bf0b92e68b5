import type { IncomingMessage, ServerResponse } from "node:http";
import { type Http2ServerRequest, type Http2ServerResponse, constants } from "node:http2";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { newId } from "@sallyport/proto/ids";
import { contentTypeOf } from "@sallyport/proto/signing";
import { sourceUnitOf } from "@sallyport/reports";
import { spansOf } from "@sallyport/rpc";
import { inCallersTrace, inSpan, traceparentHeader } from "@sallyport/telemetry";
import { timeoutOf } from "./deadline.ts";
import type { Judge } from "./front.ts";
import { tidyGrpcMessage } from "./grpc-message.ts";
import { rateClassOf } from "./limits.ts";
import { countLimit } from "./metrics.ts";
import type { Place, Places } from "./places.ts";
import { type Verdict, verdictValues } from "./verdict.ts";
import { type ContentBudget, readBody } from "./verify/body.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** What one exchange needs: handlers by path, the front, memory for contents, places, and where our own faults are told. */
export type ExchangeParts = {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly judge: Judge;
  readonly budget: ContentBudget;
  readonly places: Pick<Places, "open">;
  /** Aborts when the server stops taking connections. */
  readonly draining: AbortSignal;
  /** How long a client may take to read its answer, in milliseconds. */
  readonly answerMs: number;
  onFault(error: unknown): void;
};

const spanOf = spansOf("server");
const bodyTimeoutMs = 10_000;
const unreadMs = 500;
const maxClientLength = 64;

/** Answers one request: 404 for an unknown path, 405 for what no client of ours sends, else judged and handled. */
export async function answer(request: Request, response: Response, parts: ExchangeParts): Promise<void> {
  const gone = new AbortController();
  for (const event of ["close", "error"]) response.once(event, () => gone.abort());
  request.on("error", () => gone.abort());
  releaseUnread(request, response);
  const path = pathOf(request.url ?? "");
  const handler = parts.handlers.get(path);
  if (!handler) return end(response, 404);
  // A GET asks in the Connect protocol, and can be told why it is refused; the others have no protocol at all.
  if (request.method !== "POST" && request.method !== "GET") return end(response, 405);
  const requestId = newId("req");
  await inCallersTrace(request.headers[traceparentHeader], () =>
    inSpan(spanOf(path), (span) => {
      span.set({ "sallyport.request_id": requestId });
      return exchange({ request, response, path, requestId, handler, gone: gone.signal }, parts);
    }),
  );
}

type Exchange = {
  readonly request: Request;
  readonly response: Response;
  readonly path: string;
  readonly requestId: string;
  readonly handler: UniversalHandler;
  readonly gone: AbortSignal;
};

async function exchange(
  { request, response, path, requestId, handler, gone }: Exchange,
  parts: ExchangeParts,
): Promise<void> {
  const memory = meter(parts.budget);
  const place = parts.places.open(rateClassOf(path), sourceUnitOf(addressOf(request)));
  try {
    const verdict = await judged({ request, path, requestId, memory, place }, parts);
    if (gone.aborted) return;
    const answered = await handler(toUniversal(request, path, verdict, gone));
    if (isHttp1(response) && (parts.draining.aborted || !request.complete))
      response.setHeader("connection", "close");
    tidyGrpcMessage(answered.trailer);
    if (!gone.aborted) endUnread(response, parts.answerMs);
    // What writes waits for an event that a response does not have, and may wait for ever: its end is its close.
    await Promise.race([universalResponseToNodeResponse(answered, response), aborted(gone)]);
  } catch (error) {
    if (gone.aborted) return;
    parts.onFault(error);
    end(response, 500);
  } finally {
    // The content is held while work is done on it, also when its client had less time than that takes.
    void place.leave().then(() => memory.giveBack());
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

type Arrival = Pick<Exchange, "request" | "path" | "requestId"> & {
  readonly memory: Memory;
  readonly place: Place;
};

function judged(
  { request, path, requestId, memory, place }: Arrival,
  { judge }: ExchangeParts,
): Promise<Verdict> {
  const arrived = {
    method: request.method ?? "",
    url: request.url ?? "",
    rawHeaders: request.rawHeaders,
    sourceIp: addressOf(request),
    client: clientOf(request),
    place,
    readBody: () => readBody(request, bodyTimeoutMs, memory),
  };
  const call = {
    requestId,
    arrivedMs: performance.now(),
    timeoutMs: timeoutOf(request.headers),
  };
  return judge(arrived, path, call);
}

type Memory = Pick<ContentBudget, "take"> & { giveBack(): void };

function meter(budget: ContentBudget): Memory {
  let taken = 0;
  let passed = true;
  return {
    take(bytes) {
      passed = false; // Until the budget has it: it throws when it has not.
      budget.take(bytes);
      passed = true;
      taken += bytes;
    },
    giveBack() {
      budget.give(taken);
      countLimit("content_memory", passed);
    },
  };
}

// Where the handler is found only; the checklist refuses every form but the plain path.
function pathOf(url: string): string {
  if (!url.startsWith("/")) return URL.canParse(url) ? new URL(url).pathname : "";
  return url.split(/[?#]/, 1)[0] ?? "";
}

function isHttp1(response: Response): response is ServerResponse {
  return !("stream" in response);
}

function end(response: Response, status: number): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = status;
  if (status === 405) response.setHeader("allow", "POST");
  response.end();
}

// A client that is answered before it has sent everything could keep the connection busy for ever. It gets the time to
// read the answer: a reset overtakes what is not sent yet.
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

function addressOf(request: Request): string {
  const address = request.socket.remoteAddress ?? "0.0.0.0";
  return address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
}

// Anybody can say anything here: what a log line or a terminal would stumble over is left out.
function clientOf(request: Request): string {
  return (request.headers["user-agent"] ?? "").replaceAll(/[^ -~]/g, "").slice(0, maxClientLength);
}

// The router gets an empty message and, of the headers, the content type alone: the signed bytes are decoded strictly,
// once, by whoever acts on them. A content type outside the list is answered in the protocol nearest to it.
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
