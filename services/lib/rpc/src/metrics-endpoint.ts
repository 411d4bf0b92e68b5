import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type Logger, exposeMetrics } from "@sallyport/telemetry";
import type { Peer } from "./peer.ts";

type Answer = { readonly status: number; readonly type?: string; readonly text: string };

const path = "/metrics";
/** The peers that may read the metrics, as in a caller table. */
const callers: readonly Peer[] = ["operator"];
const prometheusText = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Answers `GET /metrics` and says whether it did; all else is left to others. `peerOf` tells who
 * asks.
 */
export function createMetricsEndpoint(
  peerOf: (request: Http2ServerRequest) => Peer | undefined,
  logger: Logger,
): (request: Http2ServerRequest, response: Http2ServerResponse) => boolean {
  const answer = async (request: Http2ServerRequest): Promise<Answer> => {
    const peer = peerOf(request);
    if (peer === undefined || !callers.includes(peer)) {
      logger.warn({ peer, path }, "refused");
      return { status: 403, text: `only the ${callers.join(", ")} may read metrics\n` };
    }
    if (request.method !== "GET") return { status: 405, text: "only GET\n" };
    return { status: 200, type: prometheusText, text: await exposeMetrics() };
  };
  const failed = (error: unknown): Answer => {
    logger.error({ err: error, path }, "failed");
    return { status: 500, text: "the metrics could not be collected\n" };
  };
  return (request, response) => {
    if (request.url !== path) return false;
    void answer(request)
      .catch(failed)
      .then(({ status, type = "text/plain; charset=utf-8", text }) => {
        response.writeHead(status, { "content-type": type }).end(text);
      });
    return true;
  };
}
