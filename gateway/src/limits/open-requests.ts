import type { IncomingMessage, ServerResponse } from "node:http";
import { type Http2ServerRequest, type Http2ServerResponse, constants } from "node:http2";
import type { Socket } from "node:net";
import { countLimit } from "../observability/metrics.ts";
import { createShares } from "./address-shares.ts";

/** A request of HTTP/1.1 or HTTP/2. */
export type Request = IncomingMessage | Http2ServerRequest;

/** Its response. */
export type Response = ServerResponse | Http2ServerResponse;

/** The requests that are open: from their head on until their response closes. */
export type OpenRequests = {
  /**
   * Counts a request, and ends it when its time is over. False where its address, or all, have too
   * many: then it is not counted, and it is ended here, unread and without an answer.
   */
  take(source: string, request: Request, response: Response): boolean;
};

/**
 * Counts requests in shares, so many of one address. Each has `lifeMs` milliseconds for everything,
 * its content and the reading of its answer included.
 *
 * Security: a request costs about 20 KB while it is open, and a client that reads no answer keeps
 * it open for as long as that may take. A connection has 100 of them over HTTP/2 and any number
 * over HTTP/1.1, where they may be pipelined, so a bound on connections is none on memory.
 */
export function createOpenRequests(perAddress: number, lifeMs: number): OpenRequests {
  const shares = createShares(perAddress);
  return {
    take(source, request, response) {
      const giveBack = shares.take(source);
      countLimit("open_requests", giveBack !== undefined);
      if (!giveBack) {
        end(request, response, constants.NGHTTP2_REFUSED_STREAM);
        return false;
      }
      const timer = setTimeout(() => end(request, response, constants.NGHTTP2_CANCEL), lifeMs);
      whenOver(request, response, () => {
        clearTimeout(timer);
        giveBack();
      });
      return true;
    },
  };
}

// Callbacks for the end of a connection of HTTP/1.1, one for each of its open requests.
const waiting = new WeakMap<Socket, Set<() => void>>();

// Over HTTP/1.1 a response that waits behind another one gets no event when its connection ends.
function whenOver(request: Request, response: Response, run: () => void): void {
  if ("stream" in response) return void response.once("close", run);
  const over = waitingOn(request.socket);
  over.add(run);
  response.once("close", () => {
    if (over.delete(run)) run();
  });
}

function waitingOn(socket: Socket): Set<() => void> {
  const known = waiting.get(socket);
  if (known) return known;
  const over = new Set<() => void>();
  waiting.set(socket, over);
  socket.once("close", () => {
    for (const run of over) run();
    over.clear();
  });
  return over;
}

// REFUSED_STREAM means that nothing was done (RFC 9113 §8.7). HTTP/1.1 cannot express that.
function end(request: Request, response: Response, code: number): void {
  request.on("error", () => undefined);
  if ("stream" in response) response.stream.close(code);
  else request.socket.destroy();
}
