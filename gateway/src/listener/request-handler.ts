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
import type { Connections } from "../connections/connections.ts";
import { timeoutOf } from "./client-deadline.ts";
import type { Judge } from "../admission/authenticate.ts";
import { tidyGrpcMessage } from "../errors/grpc-message.ts";
import type { ContentMemory, RequestMemory } from "../limits/content-memory.ts";
import { limitsOf } from "../limits/method-limits.ts";
import { countTurnedAway } from "../observability/metrics.ts";
import type { Request, Response } from "../limits/open-requests.ts";
import type { Place, Places } from "../limits/concurrency-limiter.ts";
import {
  type TurnedAway,
  answerTurnedAway,
  faultOfHttp,
  noSuchMethod,
  onlyPost,
  tooMuch,
} from "../errors/http-refusals.ts";
import { type Verdict, verdictValues } from "../admission/verdict.ts";
import { contentBounds, readBody } from "../verification/body.ts";

/**
 * What one exchange needs: handlers by path, the front, who connected, limits, and where our own
 * faults are told.
 */
export type ExchangeParts = {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly judge: Judge;
  readonly sourceOf: Connections["sourceOf"];
  readonly memory: Pick<ContentMemory, "open">;
  readonly addresses: Pick<Buckets, "take">;
  readonly places: Pick<Places, "open">;
  /** Aborts when the server stops taking connections. */
  readonly draining: AbortSignal;
  /** How long a client may take to read its answer, in milliseconds. */
  readonly answerMs: number;
  onFault(error: unknown): void;
};

const spanOf = spansOf("server");
const unreadMs = 500;
const maxClientLength = 64;

/**
 * Answers one request. What is wrong as HTTP, asks for no method of ours, or not by POST is turned
 * away, in the protocol of its content type; else it is judged and handled.
 */
export async function answer(
  request: Request,
  response: Response,
  parts: ExchangeParts,
): Promise<void> {
  const gone = new AbortController();
  for (const event of ["close", "error"]) response.once(event, () => gone.abort());
  request.on("error", () => gone.abort());
  releaseUnread(request, response);
  const path = pathOf(request.url ?? "");
  const sourceIp = parts.sourceOf(request.socket);
  const turn = (away: TurnedAway): void => {
    endUnread(response, parts.answerMs);
    turnAway(request, response, away, parts.addresses.take(sourceUnitOf(sourceIp)));
  };
  const fault = faultOfHttp(request);
  if (fault) return turn(fault);
  const handler = parts.handlers.get(path);
  if (!handler) return turn(noSuchMethod(path));
  // A GET asks in the Connect protocol, and is told why it is refused by the checklist.
  if (request.method !== "POST" && request.method !== "GET") return turn(onlyPost);
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
  parts: ExchangeParts,
): Promise<void> {
  const address = sourceUnitOf(sourceIp);
  const held = new AsyncDisposableStack();
  const memory = held.use(parts.memory.open(address));
  const place = held.adopt(parts.places.open(limitsOf(path).rate, address), (taken) =>
    taken.leave(),
  );
  try {
    const verdict = await judged({ request, path, sourceIp, requestId, memory, place }, parts);
    if (gone.aborted) return;
    if (verdict.kind === "refused") {
      // Security: now, and not once it is written: a client that does not read its refusal would
      // keep what it took.
      await held.disposeAsync();
      request.resume();
    }
    const answered = await handler(toUniversal(request, path, verdict, gone));
    if (isHttp1(response) && (parts.draining.aborted || !request.complete))
      response.setHeader("connection", "close");
    tidyGrpcMessage(answered.trailer);
    if (!gone.aborted) endUnread(response, parts.answerMs);
    // What writes waits for an event that a response does not have, and may wait for ever: its end
    // is its close.
    await Promise.race([universalResponseToNodeResponse(answered, response), aborted(gone)]);
  } catch (error) {
    if (gone.aborted) return;
    parts.onFault(error);
    fail(response);
  } finally {
    // The content is held while work is done on it, also when its client had less time than that
    // takes.
    void held.disposeAsync();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

type Arrival = Pick<Exchange, "request" | "path" | "sourceIp" | "requestId"> & {
  readonly memory: RequestMemory;
  readonly place: Place;
};

function judged(
  { request, path, sourceIp, requestId, memory, place }: Arrival,
  { judge }: ExchangeParts,
): Promise<Verdict> {
  const arrived = {
    method: request.method ?? "",
    url: request.url ?? "",
    rawHeaders: request.rawHeaders,
    sourceIp,
    client: clientOf(request),
    place,
    readBody: () => readBody(request, contentBounds(limitsOf(path).contentBytes), memory),
  };
  const call = {
    requestId,
    arrivedMs: performance.now(),
    timeoutMs: timeoutOf(request.headers),
  };
  return judge(arrived, path, call);
}

// Where the handler is found only; the checklist refuses every form but the plain path.
function pathOf(url: string): string {
  if (!url.startsWith("/")) return URL.canParse(url) ? new URL(url).pathname : "";
  return url.split(/[?#]/, 1)[0] ?? "";
}

function isHttp1(response: Response): response is ServerResponse {
  return !("stream" in response);
}

// It has cost a token of its address like every request, or asking for nothing would be free.
function turnAway(request: Request, response: Response, away: TurnedAway, waitMs: number): void {
  countTurnedAway(away.status);
  const told = waitMs > 0 ? tooMuch : away;
  const spoken = isOfProtocol(told) ? request.headers["content-type"] : undefined;
  const { status, headers, content } = answerTurnedAway(spoken, told);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (waitMs > 0) response.setHeader("retry-after", Math.ceil(waitMs / 1000));
  if (told.status === 405) response.setHeader("allow", "POST");
  // Security: where the next request begins is not sure.
  if (isHttp1(response) && isFraming(away)) response.setHeader("connection", "close");
  request.resume();
  if (content) response.end(content);
  else response.end();
}

// What is no POST, or no HTTP/1.1, is in no protocol of RPCs.
function isOfProtocol({ status }: TurnedAway): boolean {
  return status === 404 || status === 429 || status === 431;
}

function isFraming({ status }: TurnedAway): boolean {
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

// Anybody can say anything here: what a log line or a terminal would stumble over is left out.
function clientOf(request: Request): string {
  return (request.headers["user-agent"] ?? "").replaceAll(/[^ -~]/g, "").slice(0, maxClientLength);
}

// The router gets an empty message and, of the headers, the content type alone: the signed bytes
// are decoded strictly, once, by whoever acts on them. A content type outside the list is answered
// in the protocol nearest to it.
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
