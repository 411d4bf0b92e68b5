import type { StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Logger } from "@sallyport/telemetry";
import { methodPath } from "@sallyport/proto/names/method-path";
import type { Failure } from "./failure.ts";
import { endingOf } from "./measure.ts";
import { knownPeerOf } from "./peer.ts";

/**
 * Starts the clock of a call and returns what logs its one line: "debug" when it succeeded, "info"
 * when it was refused, "warn" when a dependency was missing, "error" when the fault is ours; the
 * last two with the whole cause chain.
 */
export function createOutcomeLog(
  logger: Logger,
  request: UnaryRequest | StreamRequest,
  requestId: string,
): (failure?: Failure) => void {
  const begunMs = performance.now();
  return (failure) => {
    const fields = {
      request_id: requestId,
      peer: knownPeerOf({ values: request.contextValues }),
      rpc: methodPath(request.method),
      duration_ms: Math.round(performance.now() - begunMs),
    };
    if (!failure) return logger.debug({ ...fields, code: "ok" }, "answered");
    const { reason } = failure;
    const refused = { ...fields, ...endingOf(failure) };
    if (reason === Reason.INTERNAL) return logger.error({ ...refused, err: failure }, "failed");
    if (reason === Reason.DEPENDENCY_UNAVAILABLE)
      return logger.warn({ ...refused, err: failure }, "unavailable");
    logger.info(refused, "refused");
  };
}
