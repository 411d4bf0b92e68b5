import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { type Failure, fail, failureOf } from "@sallyport/rpc";
import type { Machine } from "./store/machines.ts";
import type { Token } from "./store/tokens.ts";

/** What identity asks of policy. */
export type PolicyScope = Pick<
  Client<typeof ScopeService>,
  "validateScope" | "applyScope" | "setPrincipalStatus" | "revokePrincipals"
>;

/** Checks that the vault has these projects and secrets. Throws Failure NOT_FOUND, FIELD_INVALID or DEPENDENCY_UNAVAILABLE. */
export async function validateScope(
  policy: Pick<PolicyScope, "validateScope">,
  scope: { readonly vaultId: string; readonly projectIds: string[]; readonly secretIds: string[] },
): Promise<void> {
  try {
    await policy.validateScope(scope);
  } catch (error) {
    throw told(error, Reason.NOT_FOUND, Reason.FIELD_INVALID);
  }
}

/** Gives a machine its token's scope; repeating it changes nothing. Throws Failure DEPENDENCY_UNAVAILABLE. */
export async function applyScope(
  policy: Pick<PolicyScope, "applyScope">,
  { vaultId, machineId, expiresAt }: Machine,
  { projectIds, secretIds, createdBy, tokenId, anyVersion }: Token,
): Promise<void> {
  const expiry = timestampFromDate(expiresAt);
  try {
    await policy.applyScope({
      vaultId,
      machineId,
      projectIds,
      secretIds,
      createdBy,
      tokenId,
      anyVersion,
      expiresAt: expiry,
    });
  } catch (error) {
    throw told(error);
  }
}

/**
 * Has policy commit a machine's status. A machine whose scope was never applied may be unknown there, and policy lets
 * nobody in whom it does not know. Throws Failure DEPENDENCY_UNAVAILABLE.
 */
export async function setStatus(
  policy: Pick<PolicyScope, "setPrincipalStatus">,
  { vaultId, machineId, activatedAt }: Machine,
  status: PrincipalStatus,
): Promise<void> {
  try {
    await policy.setPrincipalStatus({ vaultId, machineId, status });
  } catch (error) {
    if (activatedAt === null && failureOf(error).reason === Reason.NOT_FOUND) return;
    throw told(error);
  }
}

/** How many machines policy ends in one call. */
export const mostEnded = 500;

/**
 * Has policy end machines of a vault for good, with their memberships and grants; those that it does not know are none of
 * its. Throws Failure DEPENDENCY_UNAVAILABLE.
 */
export async function endMachines(
  policy: Pick<PolicyScope, "revokePrincipals">,
  vaultId: string,
  machineIds: string[],
  status: PrincipalStatus,
): Promise<void> {
  if (machineIds.length === 0) return;
  try {
    await policy.revokePrincipals({ vaultId, machineIds, status });
  } catch (error) {
    throw told(error);
  }
}

// What policy says to us is told to the caller only where it is about what the caller asked for.
function told(error: unknown, ...reasons: readonly Reason[]): Failure {
  const failure = failureOf(error);
  const known = failure.reason === Reason.DEPENDENCY_UNAVAILABLE || reasons.includes(failure.reason);
  return known ? failure : fail(Reason.INTERNAL, {}, error);
}
