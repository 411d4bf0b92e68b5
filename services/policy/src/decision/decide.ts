import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type Denial,
  type Principal,
  type ReadContext,
  type ReadFacts,
  type Verdict,
  denialOfPrincipal,
  deny,
  evaluate,
} from "./evaluate.ts";

/** One secret that was named or found; projectId is empty when the vault has no such secret. */
export type SecretFacts = Omit<ReadFacts, "principal"> & { readonly projectId: string };

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

/** The decision about one secret. */
export type Decided = {
  readonly secretId: string;
  readonly projectId: string;
  readonly verdict: Verdict;
};

/** The decision about one request. */
export type Decision = {
  readonly secrets: readonly Decided[];
  /** When there is one, it refuses all of the request. */
  readonly denial: Denial | undefined;
};

/** The decision about a read; sealedOnly when any secret that it allows is read sealed only. */
export type ReadDecision = Decision & { readonly sealedOnly: boolean };

/**
 * Decides a read. The whole request is refused with the first secret's denial when nothing is
 * allowed, or when one refusal is enough (allOrNothing).
 */
export function decideRead(
  facts: RequestFacts,
  context: ReadContext,
  allOrNothing: boolean,
): ReadDecision {
  const secrets = decideSecrets(facts, context);
  if (secrets.length === 0)
    return { secrets, denial: denialOfTarget(facts, context), sealedOnly: false };
  const denied = secrets.flatMap(({ verdict }) => (verdict.kind === "deny" ? [verdict] : []));
  const whole = allOrNothing || denied.length === secrets.length;
  const sealedOnly = secrets.some(
    ({ verdict }) => verdict.kind === "allow" && verdict.obligations.sealedOnly,
  );
  return { secrets, denial: whole ? denied[0]?.denials[0] : undefined, sealedOnly };
}

/** Decides a listing: what may be read is named, what may not is left out without a word. */
export function decideList(facts: RequestFacts, context: ReadContext): Decision {
  const secrets = decideSecrets(facts, context).filter(({ verdict }) => verdict.kind === "allow");
  return { secrets, denial: denialOfPrincipal(facts.principal, context) };
}

function decideSecrets({ principal, secrets }: RequestFacts, context: ReadContext): Decided[] {
  return secrets.map(({ projectId, ...facts }) => ({
    secretId: facts.secretId,
    projectId,
    verdict: evaluate({ principal, ...facts }, context),
  }));
}

// Nothing was granted: a stranger to the project is refused, a member finds it empty.
function denialOfTarget(
  { principal, memberOfTarget }: RequestFacts,
  context: ReadContext,
): Denial | undefined {
  const denial = denialOfPrincipal(principal, context);
  return denial ?? (memberOfTarget ? undefined : deny(Reason.NOT_GRANTED));
}
