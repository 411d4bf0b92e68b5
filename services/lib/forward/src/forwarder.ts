import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AnswerKey,
  type AnswerOutcome,
  EvidenceError,
  type Signer,
  type Trust,
  type VerifiedRequest,
  countRefusedStep,
  maxSkewMs,
  signAnswer,
  signerOf,
  verifySignedRequest,
} from "@sallyport/evidence";
import type { Database, Tx } from "@sallyport/postgres";
import { publicErrors, publicMetadata } from "@sallyport/proto/errors";
import { Reason, type Refusal } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type ForwardRequest,
  ForwardResponseSchema,
  type ForwardService,
} from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { type Judgement, createJudgement, mayCall } from "@sallyport/roles";
import { Failure, fail, toRefusal } from "@sallyport/rpc";
import type { ForwardContext, ForwardMethods, ForwardRun } from "./forward-methods.ts";
import { createSweep, markSeen } from "./seen-requests.ts";

/** The options of an owner of public methods. */
export type ForwarderOptions = {
  readonly trust: Trust;
  /** The key that signs every answer. */
  readonly answerKey: () => AnswerKey;
  /** Our public names, such as "sallyport.example:8443". */
  readonly authorities: readonly string[];
  /** The largest distance of `created` from now, in seconds. */
  readonly windowSeconds: number;
  /** Unix milliseconds. */
  readonly clock: () => number;
  /** The database of `seen_requests`. */
  readonly database: Pick<Database, "query" | "transaction">;
  /** Runs before a change; throws to refuse early, while the log is down for instance. */
  readonly beforeMutation?: () => Promise<void>;
  /**
   * Runs after the commit and before the answer: delivers the records of the change, whose
   * transaction it was.
   */
  readonly afterCommit?: (own: Tx) => Promise<void>;
  /**
   * Told of a change that was asked for a second time, after it was refused: it belongs on record.
   */
  readonly onReplay?: (request: ReplayedRequest) => Promise<void>;
  readonly methods: readonly ForwardMethods[];
};

/** A request that arrived a second time. */
export type ReplayedRequest = Omit<ForwardContext, "mutate" | "judge">;

/**
 * Implements ForwardService: proves signature, freshness and path again, asks the role table,
 * decodes the body, runs the owner's handler and signs what it came to. Refusals travel in the
 * reply; evidence that does not hold is a Failure EVIDENCE_INVALID, and no answer.
 */
export function createForwarder(options: ForwarderOptions): ServiceImpl<typeof ForwardService> {
  const methods = joined(options.methods);
  const sweep = createSweep(options.database);
  return {
    async forward(request) {
      const { signer, verified, run } = orInvalid(() => verify(request, options, methods));
      const received = contextOf(request, signer, verified);
      const judgement = createJudgement(verified.path, signer.principal?.role);
      const replay = fail(
        Reason.REQUEST_REJECTED,
        {},
        new Error("replay: the request was seen before"),
      );
      async function mutate<T>(
        change: Parameters<typeof options.database.transaction<T>>[0],
      ): Promise<T> {
        await options.beforeMutation?.();
        const expiresMs = verified.createdSeconds * 1000 + windowMsOf(options) + maxSkewMs;
        const { own, result } = await options.database
          .transaction(async (tx) => {
            if (!(await markSeen(tx, verified.digest, expiresMs))) throw replay;
            const result = await change(tx);
            judgement.demand();
            return { own: tx, result };
          })
          .catch(async (error: unknown) => {
            if (error === replay) await options.onReplay?.(received);
            throw error;
          });
        await options.afterCommit?.(own);
        await sweep(options.clock());
        return result;
      }
      const context = { ...received, judge: judgement.judge, mutate };
      const outcome = await outcomeOf(context, run, judgement);
      const answer = signAnswer(context.requestDigest, outcome, options.answerKey());
      return create(ForwardResponseSchema, {
        requestDigest: context.requestDigest,
        result: outcome,
        answer,
      });
    },
  };
}

function joined(methods: readonly ForwardMethods[]): ForwardMethods {
  return new Map(methods.flatMap((service) => [...service]));
}

// The gateway checked the time a moment ago by another clock: what it took at the edge of the
// window is good here too.
function windowMsOf({ windowSeconds }: ForwarderOptions): number {
  return windowSeconds * 1000 + maxSkewMs;
}

function verify(request: ForwardRequest, options: ForwarderOptions, methods: ForwardMethods) {
  const { signedRequest } = request;
  if (!signedRequest) throw new EvidenceError("signature", "there is no request");
  const nowMs = options.clock();
  const signer = signerOf(request, options.trust, nowMs);
  const { authorities } = options;
  const { publicKey, keyId } = signer;
  const windowSeconds = windowMsOf(options) / 1000;
  const verified = verifySignedRequest(signedRequest, {
    publicKey,
    keyId,
    authorities,
    nowMs,
    windowSeconds,
  });
  const run = methods.get(verified.path);
  if (!run) throw new EvidenceError("path", "it is not a method of this service");
  // Security: the gateway lets no stranger through to any other method, so this one does not speak
  // for a client.
  if (!signer.principal && !mayCall(verified.path, undefined))
    throw new EvidenceError("role", "the key is not enrolled");
  return { signer, verified, run };
}

function contextOf(
  { signedRequest, credential, sourceIp, client, requestId }: ForwardRequest,
  signer: Signer,
  { digest }: VerifiedRequest,
): ReplayedRequest {
  if (!signedRequest) throw new Error("verified without a request");
  const who = signer.principal ? { principal: signer.principal } : { newKey: signer.publicKey };
  return {
    ...who,
    sourceIp,
    client,
    requestId,
    requestDigest: digest,
    signedRequest,
    ...(credential ? { credential } : {}),
  };
}

async function outcomeOf(
  context: ForwardContext,
  run: ForwardRun,
  { demand }: Pick<Judgement, "demand">,
): Promise<AnswerOutcome> {
  try {
    if (!mayCall(context.signedRequest.path, context.principal)) throw fail(Reason.ROLE_REQUIRED);
    const value = await run(context);
    demand();
    return { case: "response", value };
  } catch (error) {
    return { case: "refusal", value: publicRefusal(refusalOf(error)) };
  }
}

// Security: the client gets what is signed as it is, so that nothing may be in it that the gateway
// would keep back.
function publicRefusal(failure: Failure): Refusal {
  const { reason, metadata, retryAfterMs } = failure;
  if (!publicErrors[reason]) throw fail(Reason.INTERNAL, {}, failure);
  return toRefusal(
    new Failure(reason, { metadata: publicMetadata(reason, metadata), retryAfterMs }),
  );
}

// A malformed body under a good signature is the signer's own fault, and is reported to the signer.
// INTERNAL leaves as an error, so that its cause is logged.
function refusalOf(error: unknown): Failure {
  if (error instanceof EvidenceError && error.step === "body") {
    return fail(
      Reason.FIELD_INVALID,
      { field: "body", description: "is malformed, or has unknown or repeated fields" },
      error,
    );
  }
  if (error instanceof EvidenceError) throw invalid(error);
  if (!(error instanceof Failure)) throw fail(Reason.INTERNAL, {}, error);
  if (error.reason === Reason.INTERNAL) throw error;
  return error;
}

function orInvalid<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof EvidenceError ? invalid(error) : error;
  }
}

function invalid(error: EvidenceError): Failure {
  countRefusedStep(error);
  return fail(Reason.EVIDENCE_INVALID, { step: error.step }, error);
}
