import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Verdict, refused, rejected } from "../admission/proof.ts";
import { nameMachine } from "../machines/name.ts";
import { refusalOf, stateOf } from "../machines/state.ts";
import type { Machine } from "../machines/store.ts";
import { isInside } from "../tokens/cidr.ts";
import { parseGlob } from "../tokens/glob.ts";
import type { Admission } from "./admission.ts";

/** The facts of an attempt to enroll, besides its proof. */
export type Attempt = {
  readonly nowMs: number;
  readonly sourceIp: string;
  readonly hostname: string;
  /** The name asked for, or empty. */
  readonly machineName: string;
  /** The id that the machine gets if it is made. */
  readonly machineId: string;
};

/**
 * Returns why an admission makes no machine now, or undefined when it does, as far as the vault's
 * other machines do not matter. Only for callers whose proof holds.
 */
export function judgeAdmission(admission: Admission, attempt: Attempt): Verdict | undefined {
  const { revokedAt, expiresAt, uses, maxUses, restrictions } = admission;
  if (revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (attempt.nowMs >= expiresAt.getTime()) return refused(Reason.TOKEN_EXPIRED, "expired");
  if (!isInside(attempt.sourceIp, restrictions.sourceCidrs))
    return refused(Reason.TOKEN_SOURCE_REFUSED, "source");
  if (uses >= maxUses) return refused(Reason.TOKEN_EXHAUSTED, "exhausted");
  if (!matchesHost(restrictions.hostnamePattern, attempt.hostname))
    return refused(Reason.TOKEN_HOSTNAME_REFUSED, "hostname");
  const name = nameMachine(restrictions.machineNamePattern, attempt);
  return name === undefined ? refused(Reason.TOKEN_NAME_REFUSED, "name") : undefined;
}

/**
 * Returns why a key that is a machine already does not get it back by this admission, or undefined
 * when it does: the admission made it, is not revoked and admits this address; the machine is
 * neither stopped nor past its time. Uses, the admission's end and the names do not matter.
 */
export function judgeRetry(
  admission: Admission,
  machine: Machine,
  attempt: Attempt,
): Verdict | undefined {
  if (machine.vaultId !== admission.vaultId || machine.tokenId !== admission.tokenId)
    return rejected("key");
  if (admission.revokedAt) return refused(Reason.TOKEN_REVOKED, "revoked");
  if (!isInside(attempt.sourceIp, admission.restrictions.sourceCidrs))
    return refused(Reason.TOKEN_SOURCE_REFUSED, "source");
  const refusal = refusalOf(stateOf(machine, attempt.nowMs));
  return refusal === Reason.UNSPECIFIED || refusal === undefined
    ? undefined
    : refused(refusal, "machine");
}

/** Returns the verdict on a vault that has as many living machines as it may have. */
export function capReached(limit: number): Verdict {
  return { ...refused(Reason.MACHINE_CAP_REACHED, "cap"), metadata: { limit: String(limit) } };
}

function matchesHost(pattern: string, hostname: string): boolean {
  return pattern === "" || parseGlob(pattern, { anyCase: true }).matches(hostname);
}
