import type { ForwardContext } from "@sallyport/forward";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { fail, failureOf } from "@sallyport/rpc";
import type { PublicParts } from "./records.ts";

/** The subject of a role check: a project, or the project of a secret. */
export type RoleTarget = { readonly projectId: string } | { readonly secretId: string };

type Parts = Pick<PublicParts, "peers">;

// Policy knows which project a secret is in. Asking with the id that the request names, before
// anything is looked up here, takes the same way for what is hidden as for what is nowhere.

/**
 * Requires of the signer the role that the method needs, by policy's word now. Throws Failure
 * NOT_FOUND with that field where the project is hidden from the signer or the vault has none,
 * PROJECT_ROLE_REQUIRED, MACHINE_DISABLED (the signer was removed) or DEPENDENCY_UNAVAILABLE.
 */
export async function requireRole(
  context: ForwardContext,
  { peers }: Parts,
  target: RoleTarget,
  field: string,
): Promise<void> {
  const asked =
    "secretId" in target ? { secretIds: [target.secretId] } : { projectIds: [target.projectId] };
  const { projectRoles, secretRoles } = await peers.roles
    .checkRoles({ ...signerOf(context), ...asked })
    .catch(rethrow);
  // Security: policy that answers nothing has allowed nothing.
  const [role = ProjectRole.NONE] = [...projectRoles, ...secretRoles];
  const [shown] = context.judge([role]);
  if (!shown) throw fail(Reason.NOT_FOUND, { field });
}

/**
 * Those of the secrets that the signer may see. Throws Failure MACHINE_DISABLED or
 * DEPENDENCY_UNAVAILABLE.
 */
export async function shownSecretIds(
  context: ForwardContext,
  { peers }: Parts,
  secretIds: readonly string[],
): Promise<string[]> {
  const asked = { ...signerOf(context), secretIds: [...secretIds] };
  const { secretRoles } = await peers.roles.checkRoles(asked).catch(rethrow);
  const shown = context.judge(secretRoles);
  return secretIds.filter((_, index) => shown[index] === true);
}

/**
 * The projects that are hidden from the signer. Throws Failure MACHINE_DISABLED or
 * DEPENDENCY_UNAVAILABLE.
 */
export async function hiddenProjectIds(
  context: ForwardContext,
  { peers }: Parts,
): Promise<string[]> {
  const { roles } = await peers.roles.listRoles(signerOf(context)).catch(rethrow);
  const shown = context.judge(roles.map(({ role }) => role));
  return roles.filter((_, index) => shown[index] !== true).map(({ projectId }) => projectId);
}

function signerOf({ principal }: ForwardContext) {
  if (!principal) throw fail(Reason.ROLE_REQUIRED);
  return { vaultId: principal.vaultId, userId: principal.id, role: principal.role };
}

function rethrow(error: unknown): never {
  throw failureOf(error);
}
