import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Asked, type Principal, evaluate, refusalOfPrincipal } from "./evaluate.ts";

/** One secret that was named or found; projectId is empty when the vault has no such secret. */
export type SecretFacts = {
  readonly secretId: string;
  readonly projectId: string;
  readonly member: boolean;
  readonly granted: boolean;
  readonly anyVersion: boolean;
  readonly sealedOnly: boolean;
};

/** Everything that the decision about one request rests on, read in one statement. */
export type RequestFacts = {
  readonly principal: Principal | undefined;
  /** The machine is a member of the project that the request names; true when it names none. */
  readonly memberOfTarget: boolean;
  /**
   * The secrets of this page, in the order asked for, or of ids when the request did not name them.
   */
  readonly secrets: readonly SecretFacts[];
};

/** The decision about one secret; UNSPECIFIED allows. */
export type Decided = {
  readonly secretId: string;
  readonly projectId: string;
  readonly refusal: Reason;
};

/** The decision about one request. */
export type Decision = {
  readonly secrets: readonly Decided[];
  /** When not UNSPECIFIED, it refuses all of the request. */
  readonly refusal: Reason;
};

/** The decision about a read; sealedOnly when any secret that it allows is read sealed only. */
export type ReadDecision = Decision & { readonly sealedOnly: boolean };

/**
 * Decides a read. The whole request is refused with the first secret's reason when nothing is
 * allowed, or when one refusal is enough (allOrNothing).
 */
export function decideRead(facts: RequestFacts, asked: Asked, allOrNothing: boolean): ReadDecision {
  const secrets = decideSecrets(facts, asked);
  if (secrets.length === 0)
    return { secrets, refusal: refusalOfTarget(facts, asked.nowMs), sealedOnly: false };
  const refused = secrets.filter(({ refusal }) => refusal !== Reason.UNSPECIFIED);
  const whole = allOrNothing || refused.length === secrets.length;
  const refusal = (whole ? refused[0]?.refusal : undefined) ?? Reason.UNSPECIFIED;
  const sealedOnly = facts.secrets.some(
    (secret, at) => secret.sealedOnly && secrets[at]?.refusal === Reason.UNSPECIFIED,
  );
  return { secrets, refusal, sealedOnly };
}

/** Decides a listing: what may be read is named, what may not is left out without a word. */
export function decideList(facts: RequestFacts, asked: Asked): Decision {
  const secrets = decideSecrets(facts, asked).filter(
    ({ refusal }) => refusal === Reason.UNSPECIFIED,
  );
  return { secrets, refusal: refusalOfPrincipal(facts.principal, asked.nowMs) };
}

function decideSecrets({ principal, secrets }: RequestFacts, asked: Asked): Decided[] {
  return secrets.map(({ secretId, projectId, ...facts }) => ({
    secretId,
    projectId,
    refusal: evaluate({ principal, ...facts }, asked),
  }));
}

// Nothing was granted: a stranger to the project is refused, a member finds it empty.
function refusalOfTarget({ principal, memberOfTarget }: RequestFacts, nowMs: number): Reason {
  const refusal = refusalOfPrincipal(principal, nowMs);
  return refusal === Reason.UNSPECIFIED && !memberOfTarget ? Reason.NOT_GRANTED : refusal;
}
