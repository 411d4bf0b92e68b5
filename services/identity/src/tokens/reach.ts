import type { ForwardContext } from "@sallyport/forward";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { type PolicyScope, managedProjects } from "../policy.ts";
import { signerOf } from "../audit-fields.ts";
import type { Token } from "./store.ts";

/**
 * The projects whose tokens a user may see and end; undefined for those of every project, also of
 * one that is gone.
 */
export type TokenReach = readonly string[] | undefined;

/**
 * Returns the tokens within the signer's reach: for a developer those for nothing but projects that
 * the developer manages, as policy answers now. Throws Failure MACHINE_DISABLED or
 * DEPENDENCY_UNAVAILABLE.
 */
export async function tokenReachOf(
  context: ForwardContext,
  policy: Pick<PolicyScope, "listRoles">,
): Promise<TokenReach> {
  const { vaultId, id: userId, role } = signerOf(context);
  const isDeveloper = role === Role.DEVELOPER;
  const managed = isDeveloper
    ? await managedProjects(policy, { vaultId, userId, role })
    : undefined;
  context.judge((managed ?? []).map(() => ProjectRole.MANAGER));
  return managed;
}

/** Returns whether a token is within reach. */
export function isReached({ projectIds }: Pick<Token, "projectIds">, reach: TokenReach): boolean {
  return reach === undefined || projectIds.every((projectId) => reach.includes(projectId));
}
