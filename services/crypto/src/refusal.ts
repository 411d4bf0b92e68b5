import { EvidenceError, countRefusedStep } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Failure, fail, failureOf } from "@sallyport/rpc";

/**
 * The failure behind a thrown value: evidence names its step, and is counted; a Failure stays,
 * all else is INTERNAL.
 */
export function refusalOf(error: unknown): Failure {
  if (!(error instanceof EvidenceError)) return failureOf(error);
  countRefusedStep(error);
  return fail(Reason.EVIDENCE_INVALID, { step: error.step }, error);
}
