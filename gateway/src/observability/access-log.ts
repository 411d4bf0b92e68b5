import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Failure, concludeServed, endingOf } from "@sallyport/rpc";
import { type Logger, currentSpan } from "@sallyport/telemetry";
import { NoPlaceError } from "../limits/concurrency-limiter.ts";
import type { Verdict } from "../admission/verdict.ts";

/** Told of every answer that the router gives, with the public failure when it is a refusal. */
export type OutcomeListener = (rpc: string, verdict: Verdict, failure?: Failure) => void;

/**
 * Measures each request and logs one line for it: "debug" when it was answered, for strangers who
 * were refused, since they could fill a disk, and for whom there was no place; "info" for a
 * principal's refusal, "warn" when a dependency was missing, "error" when the fault is ours, the
 * last two with the whole cause chain.
 */
export function createOutcomeLog(logger: Logger): OutcomeListener {
  return (rpc, verdict, failure) => {
    concludeServed(currentSpan(), rpc, verdict.arrivedMs, failure);
    const principal = principalOf(verdict);
    const fields = {
      request_id: verdict.requestId,
      principal,
      rpc,
      duration_ms: Math.round(performance.now() - verdict.arrivedMs),
    };
    if (!failure) return logger.debug({ ...fields, code: "ok" }, "answered");
    const { reason } = failure;
    const refused = { ...fields, ...endingOf(failure), err: failure };
    if (failure instanceof NoPlaceError) return logger.debug(refused, "refused");
    if (reason === Reason.INTERNAL) return logger.error(refused, "failed");
    if (reason === Reason.DEPENDENCY_UNAVAILABLE) return logger.warn(refused, "unavailable");
    logger[principal === undefined ? "debug" : "info"](refused, "refused");
  };
}

function principalOf(verdict: Verdict): string | undefined {
  if (verdict.kind === "refused") return verdict.principalId;
  return verdict.request.principal?.claims.principalId;
}
