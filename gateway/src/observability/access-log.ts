import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Failure, concludeServed, endingOf } from "@sallyport/rpc";
import { type Logger, currentSpan } from "@sallyport/telemetry";
import { ConcurrencyLimitError } from "../limits/concurrency-limiter.ts";
import type { Verdict } from "../admission/verdict.ts";

/** Receives every answer that the router gives, with the public failure when it is a refusal. */
export type AccessLog = (rpc: string, verdict: Verdict, failure?: Failure) => void;

/**
 * Measures each request and logs one line for it: "debug" for an answer, for a stranger's refusal,
 * since strangers could fill a disk, and for one by the concurrency limit; "info" for a principal's
 * refusal, "warn" when a dependency was missing, "error" when the fault is ours, the last two with
 * the whole cause chain.
 */
export function createAccessLog(logger: Logger): AccessLog {
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
    if (failure instanceof ConcurrencyLimitError) return logger.debug(refused, "refused");
    if (reason === Reason.INTERNAL) return logger.error(refused, "failed");
    if (reason === Reason.DEPENDENCY_UNAVAILABLE) return logger.warn(refused, "unavailable");
    logger[principal === undefined ? "debug" : "info"](refused, "refused");
  };
}

function principalOf(verdict: Verdict): string | undefined {
  if (verdict.kind === "refused") return verdict.principalId;
  return verdict.request.principal?.claims.principalId;
}
