import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Client, type Transport, createClient } from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import {
  type PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { type Failure, fail, failureOf } from "@sallyport/rpc";
import type { Machine } from "./machines/store.ts";
import type { Scope } from "./enroll/admission.ts";

/** The calls that identity makes to policy. */
export type PolicyScope = Pick<
  Client<typeof ScopeService>,
  "validateScope" | "applyScope" | "setPrincipalStatus" | "revokePrincipals"
> &
  Pick<Client<typeof RoleService>, "endUser" | "listRoles">;

/** Makes the way to policy. */
export function createPolicyScope(transport: Transport): PolicyScope {
  return { ...createClient(ScopeService, transport), ...createClient(RoleService, transport) };
}

/**
 * Checks that the vault has these projects and secrets, and shows them to the user; returns the
 * user's roles in the projects. Throws Failure NOT_FOUND, FIELD_INVALID, MACHINE_DISABLED or
 * DEPENDENCY_UNAVAILABLE.
 */
export async function validateScope(
  policy: Pick<PolicyScope, "validateScope">,
  scope: {
    readonly vaultId: string;
    readonly userId: string;
    readonly role: Role;
    readonly projectIds: string[];
    readonly secretIds: string[];
  },
): Promise<ProjectRole[]> {
  try {
    return (await policy.validateScope(scope)).projectRoles;
  } catch (error) {
    throw toCallerFailure(error, Reason.NOT_FOUND, Reason.FIELD_INVALID, Reason.MACHINE_DISABLED);
  }
}

/**
 * Has policy exclude a user permanently and take the user's project roles. Throws Failure
 * DEPENDENCY_UNAVAILABLE.
 */
export async function excludeUser(
  policy: Pick<PolicyScope, "endUser">,
  user: { readonly vaultId: string; readonly userId: string },
): Promise<void> {
  try {
    await policy.endUser(user);
  } catch (error) {
    throw toCallerFailure(error);
  }
}

// So many that policy is not the bottleneck, so few that its other callers are not kept waiting.
const atOnce = 10;

/**
 * Has policy exclude users of a vault; the first failure ends it. Throws Failure
 * DEPENDENCY_UNAVAILABLE.
 */
export async function excludeUsers(
  policy: Pick<PolicyScope, "endUser">,
  vaultId: string,
  userIds: readonly string[],
): Promise<void> {
  for (let first = 0; first < userIds.length; first += atOnce)
    await Promise.all(
      userIds
        .slice(first, first + atOnce)
        .map((userId) => excludeUser(policy, { vaultId, userId })),
    );
}

/**
 * Gives a machine its scope; repeating it changes nothing. Throws Failure
 * DEPENDENCY_UNAVAILABLE.
 */
export async function applyScope(
  policy: Pick<PolicyScope, "applyScope">,
  { vaultId, machineId, tokenId, expiresAt }: Machine,
  { projectIds, secretIds, createdBy, anyVersion }: Scope,
  createdByRole: Role,
): Promise<void> {
  const expiry = timestampFromDate(expiresAt);
  try {
    await policy.applyScope({
      vaultId,
      machineId,
      projectIds,
      secretIds,
      createdBy,
      createdByRole,
      tokenId: tokenId ?? "",
      anyVersion,
      expiresAt: expiry,
    });
  } catch (error) {
    throw toCallerFailure(error);
  }
}

/**
 * Has policy commit a machine's status. A machine whose scope was never applied may be unknown
 * there, and policy admits no machine that it does not know. Throws Failure DEPENDENCY_UNAVAILABLE.
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
    throw toCallerFailure(error);
  }
}

/**
 * The projects that a developer manages, at most 1,000. Throws Failure MACHINE_DISABLED (the
 * developer was removed) or DEPENDENCY_UNAVAILABLE.
 */
export async function managedProjects(
  policy: Pick<PolicyScope, "listRoles">,
  developer: { readonly vaultId: string; readonly userId: string; readonly role: Role },
): Promise<string[]> {
  try {
    const { roles } = await policy.listRoles(developer);
    return roles
      .filter(({ role }) => role === ProjectRole.MANAGER)
      .map(({ projectId }) => projectId);
  } catch (error) {
    throw toCallerFailure(error, Reason.MACHINE_DISABLED);
  }
}

/** The most machines that policy ends in one call. */
export const mostEnded = 500;

/**
 * Has policy end machines of a vault permanently, with their memberships and grants; those that it
 * does not know are none of its. Throws Failure DEPENDENCY_UNAVAILABLE.
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
    throw toCallerFailure(error);
  }
}

// Policy's reason is returned to the caller only where it is about the caller's own request.
function toCallerFailure(error: unknown, ...reasons: readonly Reason[]): Failure {
  const failure = failureOf(error);
  const known =
    failure.reason === Reason.DEPENDENCY_UNAVAILABLE || reasons.includes(failure.reason);
  return known ? failure : fail(Reason.INTERNAL, {}, error);
}
