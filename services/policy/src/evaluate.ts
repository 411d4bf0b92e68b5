import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";

/** Version of the rules below, in every permit and record: 1 is the base gate alone. */
export const POLICY_VERSION = 1;

/** What policy knows of the machine that asks. */
export type Principal = {
  readonly status: "active" | "disabled" | "revoked";
  /** Instant in milliseconds from which it is refused. */
  readonly expiresAtMs: number;
};

/** What policy knows of one machine and one secret; nothing is known of secrets outside the machine's vault. */
export type ReadFacts = {
  readonly principal: Principal | undefined;
  /** The secret's project has the machine as a member. */
  readonly member: boolean;
  /** The machine was granted this very secret. */
  readonly granted: boolean;
};

type Rule = (facts: ReadFacts, nowMs: number) => Reason;

// In this order, first refusal wins. Access policies (DESIGN §7) follow the base gate when they come.
const rules: readonly Rule[] = [
  (facts, nowMs) => refusalOfPrincipal(facts.principal, nowMs),
  ({ member }) => (member ? Reason.UNSPECIFIED : Reason.NOT_GRANTED),
  ({ granted }) => (granted ? Reason.UNSPECIFIED : Reason.NOT_GRANTED),
];

/** Decides one read of one secret at an instant: UNSPECIFIED allows, any other reason refuses (DESIGN §3.3). */
export function evaluate(facts: ReadFacts, nowMs: number): Reason {
  for (const rule of rules) {
    const refusal = rule(facts, nowMs);
    if (refusal !== Reason.UNSPECIFIED) return refusal;
  }
  return Reason.UNSPECIFIED;
}

/** Why the machine may read nothing at all; UNSPECIFIED when it may be asked further. A stranger has no grant. */
export function refusalOfPrincipal(principal: Principal | undefined, nowMs: number): Reason {
  if (principal === undefined) return Reason.NOT_GRANTED;
  if (principal.status !== "active") return Reason.MACHINE_DISABLED;
  return nowMs >= principal.expiresAtMs ? Reason.MACHINE_EXPIRED : Reason.UNSPECIFIED;
}
