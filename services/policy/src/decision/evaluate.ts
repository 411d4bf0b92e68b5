import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AuthorizeItem,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import type { Standing } from "../standing.ts";

/**
 * Version of the rules below, in every permit and record: 4 is the base gate, then whether the
 * reply is sealed; every rule that fails is named.
 */
export const POLICY_VERSION = 4;

/** The state of the requesting machine, as policy stores it. */
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
 * The stored rights of one machine to one secret; nothing is known of secrets outside the
 * machine's vault.
 */
export type ReadFacts = {
  readonly secretId: string;
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

/**
 * The whole context of a decision: the request as the gateway states it, with source address and
 * claims of the credential, and the instant in milliseconds.
 * Security: the statement is not proven here. Rules may refuse by it, and none may allow more
 * because of it.
 */
export type ReadContext = {
  readonly request: Pick<
    AuthorizeItem,
    | "vaultId"
    | "machineId"
    | "sourceIp"
    | "claims"
    | "purpose"
    | "projectId"
    | "requestedVersion"
    | "sealed"
  >;
  readonly nowMs: number;
};

/** A reason against the read, with the metadata that its caller may see. */
export type Denial = {
  readonly reason: Exclude<Reason, typeof Reason.UNSPECIFIED>;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Conditions that hold for an allowed read. */
export type Obligations = {
  /** The reply is sealed. */
  readonly sealedOnly: boolean;
  /** Facts beyond the grant that the decision rests on, for the record of the read. */
  readonly facts: Readonly<Record<string, string>>;
};

/**
 * The decision about one read. Of several denials the first is the public one; all of them go on
 * record.
 */
export type Verdict =
  | { readonly kind: "allow"; readonly obligations: Obligations }
  | { readonly kind: "deny"; readonly denials: readonly [Denial, ...Denial[]] };

type Rule = (facts: ReadFacts, context: ReadContext) => Denial | undefined;

// Security: in this order the first denial is the public one. The grant stands before everything
// that tells of the secret, so that a machine learns that of nothing but what it was granted.
const rules: readonly Rule[] = [
  ({ principal }, context) => denialOfPrincipal(principal, context),
  ({ secretId, member, granted, anyVersion }, { request }) =>
    member && granted && (anyVersion || request.requestedVersion === 0)
      ? undefined
      : deny(Reason.NOT_GRANTED, { secret_id: secretId }),
  ({ secretId, sealedOnly }, { request }) =>
    sealedOnly && !isSealed(request)
      ? deny(Reason.SEALING_REQUIRED, { secret_id: secretId })
      : undefined,
];

/** Decides one read of one secret, without I/O or a clock of its own. */
export function evaluate(facts: ReadFacts, context: ReadContext): Verdict {
  const [first, ...others] = rules.flatMap((rule) => rule(facts, context) ?? []);
  if (first) return { kind: "deny", denials: [first, ...others] };
  const { sealedOnly } = facts;
  return {
    kind: "allow",
    obligations: { sealedOnly, facts: sealedOnly ? { sealed_only: "true" } : {} },
  };
}

/**
 * Returns why the machine may read nothing at all; undefined when it may be asked further. A
 * stranger has no grant, and claims of another principal make a machine a stranger.
 */
export function denialOfPrincipal(
  principal: Principal | undefined,
  { request, nowMs }: ReadContext,
): Denial | undefined {
  if (principal === undefined || !isClaimed(request)) return deny(Reason.NOT_GRANTED);
  if (principal.status === "expired") return deny(Reason.MACHINE_EXPIRED);
  if (principal.status !== "active") return deny(Reason.MACHINE_DISABLED);
  return nowMs >= principal.expiresAtMs ? deny(Reason.MACHINE_EXPIRED) : undefined;
}

/** Makes a denial. */
export function deny(
  reason: Denial["reason"],
  metadata: Readonly<Record<string, string>> = {},
): Denial {
  return { reason, metadata };
}

// A listing leads to no permit, and comes from a process that has proven the machine itself.
function isClaimed({ purpose, claims, machineId, vaultId }: ReadContext["request"]): boolean {
  if (purpose === Purpose.LIST) return true;
  if (claims?.kind !== PrincipalKind.MACHINE) return false;
  return claims.principalId === machineId && claims.vaultId === vaultId;
}

// A listing names what may be read by our clients, which all seal.
function isSealed({ purpose, sealed }: ReadContext["request"]): boolean {
  return sealed || purpose === Purpose.LIST;
}
