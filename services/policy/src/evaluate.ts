import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Standing } from "./standing.ts";

/**
 * Version of the rules below, in every permit and record: 3 is the base gate, then whether the
 * reply is sealed.
 */
export const POLICY_VERSION = 3;

/** What policy knows of the machine that asks. */
export type Principal = {
  readonly status: Standing;
  /** Instant in milliseconds from which it is refused. */
  readonly expiresAtMs: number;
  /**
   * The enrollment token that it came of; what it causes is bounded together with all others of
   * that token.
   */
  readonly originId?: string;
};

/**
 * What policy knows of one machine and one secret; nothing is known of secrets outside the
 * machine's vault.
 */
export type ReadFacts = {
  readonly principal: Principal | undefined;
  /** The secret's project has the machine as a member. */
  readonly member: boolean;
  /** The machine was granted this very secret. */
  readonly granted: boolean;
  /** The grant lets it name a version; without it the current one is all there is. */
  readonly anyVersion: boolean;
  /** The vault or the secret is read sealed only. */
  readonly sealedOnly: boolean;
};

/** What is asked, and when. */
export type Asked = {
  /** A version is named; otherwise the current one is asked for. */
  readonly namedVersion: boolean;
  /** The reply is asked for under a recipient key. */
  readonly sealed: boolean;
  /** The instant, in milliseconds. */
  readonly nowMs: number;
};

type Rule = (facts: ReadFacts, asked: Asked) => Reason;

// In this order, first refusal wins. Access policies follow the base gate when they come.
const rules: readonly Rule[] = [
  (facts, { nowMs }) => refusalOfPrincipal(facts.principal, nowMs),
  ({ member }) => grantedIf(member),
  ({ granted }) => grantedIf(granted),
  ({ anyVersion }, { namedVersion }) => grantedIf(anyVersion || !namedVersion),
  // Security: after the gate, so that a machine learns it of nothing but what it was granted.
  ({ sealedOnly }, { sealed }) =>
    sealed || !sealedOnly ? Reason.UNSPECIFIED : Reason.SEALING_REQUIRED,
];

/** Decides one read of one secret: UNSPECIFIED allows, any other reason refuses. */
export function evaluate(facts: ReadFacts, asked: Asked): Reason {
  for (const rule of rules) {
    const refusal = rule(facts, asked);
    if (refusal !== Reason.UNSPECIFIED) return refusal;
  }
  return Reason.UNSPECIFIED;
}

/**
 * Why the machine may read nothing at all; UNSPECIFIED when it may be asked further. A stranger has
 * no grant.
 */
export function refusalOfPrincipal(principal: Principal | undefined, nowMs: number): Reason {
  if (principal === undefined) return Reason.NOT_GRANTED;
  if (principal.status === "expired") return Reason.MACHINE_EXPIRED;
  if (principal.status !== "active") return Reason.MACHINE_DISABLED;
  return nowMs >= principal.expiresAtMs ? Reason.MACHINE_EXPIRED : Reason.UNSPECIFIED;
}

function grantedIf(condition: boolean): Reason {
  return condition ? Reason.UNSPECIFIED : Reason.NOT_GRANTED;
}
