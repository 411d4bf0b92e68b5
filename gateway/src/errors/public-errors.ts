import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import {
  ErrorInfoSchema,
  RetryInfoSchema,
} from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { publicErrors, publicMetadata, publicSentence } from "@sallyport/proto/errors";
import {
  Reason,
  ReasonSchema,
  type Refusal,
} from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { Failure, codeOf, fail, failureOf, fromRefusal } from "@sallyport/rpc";

const retryAfterMs = 1000;

// Reasons that a peer may throw instead of answering. Its other refusals are data in its replies;
// thrown, they are about the call that we made, and that is our own fault.
const thrownByPeers: readonly Reason[] = [Reason.DEPENDENCY_UNAVAILABLE, Reason.TOO_LARGE];

/** An owner's refusal, with the owner's signature over it for the client. */
export class SignedRefusal extends Failure {
  readonly answer: SignedAnswer;

  constructor(refusal: Refusal, answer: SignedAnswer) {
    const { reason, metadata, retryAfterMs, cause } = fromRefusal(refusal);
    super(reason, { metadata, retryAfterMs, cause });
    this.answer = answer;
  }
}

/**
 * Turns an error of a call to a peer into a Failure: unavailable and too large as they are, any
 * other INTERNAL.
 */
export function peerFailure(error: unknown): Failure {
  const failure = failureOf(error);
  return thrownByPeers.includes(failure.reason) ? failure : fail(Reason.INTERNAL, {}, error);
}

/**
 * Turns any error into a Failure with a reason that the public may know. Evidence that does not
 * hold is one reason for strangers, and so is a read that was already recorded; a malformed body is
 * the signer's own mistake, and the refusal says so. Any other error becomes INTERNAL with the
 * error as its cause.
 */
export function publicFailureOf(error: unknown): Failure {
  if (error instanceof EvidenceError)
    return error.step === "body" ? malformedBody(error) : fail(Reason.REQUEST_REJECTED, {}, error);
  if (!(error instanceof Failure)) return fail(Reason.INTERNAL, {}, error);
  if (error.reason === Reason.ALREADY_RECORDED) return fail(Reason.REQUEST_REJECTED, {}, error);
  return publicErrors[error.reason] ? error : fail(Reason.INTERNAL, {}, error);
}

function malformedBody(cause: EvidenceError): Failure {
  const description = "is malformed, or has unknown or repeated fields";
  return fail(Reason.FIELD_INVALID, { field: "body", description }, cause);
}

/**
 * Writes a public failure for the wire, and is the only function that does: our sentence, the
 * metadata that the reason allows, a retry delay where waiting helps, the owner's signature where
 * an owner refused. Upstream codes, texts and headers never pass; INTERNAL has the request id.
 */
export function toPublicError(failure: Failure, requestId: string): ConnectError {
  const { reason, metadata, retryAfterMs: given } = failure;
  const sentence = publicSentence(reason, metadata);
  if (sentence === undefined)
    return connectError(Reason.INTERNAL, `something went wrong on our side: report ${requestId}`, {
      request_id: requestId,
    });
  const delay = given ?? (reason === Reason.DEPENDENCY_UNAVAILABLE ? retryAfterMs : undefined);
  const error = connectError(reason, sentence, publicMetadata(reason, metadata), delay);
  if (failure instanceof SignedRefusal)
    error.details.push({ desc: SignedAnswerSchema, value: failure.answer });
  return error;
}

function connectError(
  reason: Reason,
  sentence: string,
  metadata: Record<string, string>,
  delayMs?: number,
): ConnectError {
  const info = create(ErrorInfoSchema, {
    reason: enumName(ReasonSchema, reason),
    domain: "sallyport",
    metadata,
  });
  const error = new ConnectError(sentence, codeOf(reason), undefined, [
    { desc: ErrorInfoSchema, value: info },
  ]);
  if (delayMs !== undefined) {
    const value = create(RetryInfoSchema, { retryDelay: durationFromMs(delayMs) });
    error.details.push({ desc: RetryInfoSchema, value });
  }
  return error;
}
