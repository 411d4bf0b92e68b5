import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { EvidenceError } from "@sallyport/evidence";
import { Failure, codeOf, fail } from "@sallyport/rpc";

type PublicError = { readonly metadata: readonly string[]; readonly sentence: string };

/** What the public may be told for each reason: the metadata that passes, and one sentence that says what to do. */
const publicErrors: Partial<Record<Reason, PublicError>> = {
  [Reason.REQUEST_REJECTED]: {
    metadata: [],
    sentence: "the request was rejected: check that the identity is still valid and sign every attempt anew",
  },
  [Reason.CLOCK_SKEW]: {
    metadata: ["server_time"],
    sentence: "the request's time is outside the window: set the clock by server_time and sign again",
  },
  [Reason.MACHINE_EXPIRED]: { metadata: [], sentence: "the machine's lifetime is over: enroll a new one" },
  [Reason.MACHINE_DISABLED]: { metadata: [], sentence: "the machine is disabled: ask an admin of the vault" },
  [Reason.ROLE_REQUIRED]: {
    metadata: [],
    sentence: "your role may not do this: ask an owner or admin of the vault",
  },
  [Reason.NOT_GRANTED]: {
    metadata: ["secret_id"],
    sentence: "no grant covers this secret: ask an admin of the vault to grant it",
  },
  [Reason.NOT_FOUND]: {
    metadata: ["field"],
    sentence: "there is no such thing in this vault: check the id or name",
  },
  [Reason.ALREADY_EXISTS]: { metadata: ["field"], sentence: "that name or id is taken: choose another" },
  [Reason.FIELD_INVALID]: { metadata: ["field", "description"], sentence: "a field is not valid" },
  [Reason.NAME_DANGEROUS]: {
    metadata: ["name", "description"],
    sentence: "a variable of this name runs code: choose another name, or allow it explicitly",
  },
  [Reason.TOO_LARGE]: { metadata: ["limit_bytes"], sentence: "too large: ask for or send less at once" },
  [Reason.VERSION_CONFLICT]: {
    metadata: ["current_version"],
    sentence: "the secret has changed since: look at the current version and try again",
  },
  [Reason.TOKEN_EXPIRED]: {
    metadata: [],
    sentence: "the token or code is past its lifetime: ask for a new one",
  },
  [Reason.TOKEN_EXHAUSTED]: {
    metadata: [],
    sentence: "every use of the token or code is spent: ask for a new one",
  },
  [Reason.TOKEN_REVOKED]: { metadata: [], sentence: "the token or code was revoked: ask for a new one" },
  [Reason.RATE_LIMITED]: { metadata: [], sentence: "too many requests: wait for the retry delay" },
  [Reason.DEPENDENCY_UNAVAILABLE]: {
    metadata: [],
    sentence:
      "a part of the system cannot answer now: nothing was done or given out; try again after the delay",
  },
};

const retryAfterMs = 1000;

/**
 * Turns whatever went wrong into what a client may see. The only place where that happens: upstream codes, texts and
 * headers never pass; a reason that is not public becomes INTERNAL with the request id.
 */
export function toPublicError(error: unknown, requestId: string): ConnectError {
  const failure = publicFailureOf(error);
  const known = publicErrors[failure.reason];
  if (!known)
    return connectError(Reason.INTERNAL, `something went wrong on our side: report ${requestId}`, {
      request_id: requestId,
    });
  const metadata = Object.fromEntries(
    Object.entries(failure.metadata).filter(([key]) => known.metadata.includes(key)),
  );
  const hint = metadata["description"] ?? metadata["field"];
  const sentence =
    hint === undefined
      ? known.sentence
      : `${known.sentence}: ${[metadata["field"], metadata["description"]].filter(Boolean).join(": ")}`;
  const unavailable = failure.reason === Reason.DEPENDENCY_UNAVAILABLE ? retryAfterMs : undefined;
  return connectError(failure.reason, sentence, metadata, failure.retryAfterMs ?? unavailable);
}

/** Evidence that does not hold is, to strangers, one reason; so is a read that was already recorded. */
export function publicFailureOf(error: unknown): Failure {
  if (error instanceof EvidenceError) return fail(Reason.REQUEST_REJECTED, {}, error);
  if (!(error instanceof Failure)) return fail(Reason.INTERNAL, {}, error);
  const rejected = error.reason === Reason.ALREADY_RECORDED;
  return rejected ? fail(Reason.REQUEST_REJECTED, {}, error) : error;
}

function connectError(
  reason: Reason,
  sentence: string,
  metadata: Record<string, string>,
  retryMs?: number,
): ConnectError {
  const info = create(ErrorInfoSchema, {
    reason: enumName(ReasonSchema, reason),
    domain: "sallyport",
    metadata,
  });
  const error = new ConnectError(sentence, codeOf(reason), undefined, [
    { desc: ErrorInfoSchema, value: info },
  ]);
  if (retryMs !== undefined) {
    const retryDelay = { seconds: BigInt(Math.floor(retryMs / 1000)), nanos: (retryMs % 1000) * 1_000_000 };
    error.details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
  return error;
}
