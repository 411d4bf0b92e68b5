import { type ForwardContext, callerOf } from "@sallyport/forward";
import { projectRoleOf } from "@sallyport/roles";
import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { fail } from "@sallyport/rpc";
import { lockUsers } from "../store/locks.ts";
import { type UserOf, findGiven, hasEnded } from "../store/project-roles.ts";

/** A user and the role that the user has in the vault. */
export type RoleHolder = UserOf & { readonly role: Role };

/** The object for which a role is required: a project, or the project of a secret. */
export type RoleTarget = { readonly projectId: string } | { readonly secretId: string };

/**
 * The roles of a user in the projects, and in the projects of the secrets; NONE in what the vault
 * does not have. Throws Failure MACHINE_DISABLED for a user who was removed: a credential may
 * outlive its user by a minute.
 */
export async function rolesIn(
  db: Tx,
  user: RoleHolder,
  projectIds: readonly string[],
  secretIds: readonly string[],
): Promise<{ readonly projects: ProjectRole[]; readonly secrets: ProjectRole[] }> {
  if (await hasEnded(db, user)) throw fail(Reason.MACHINE_DISABLED);
  const given = await findGiven(db, user, projectIds, secretIds);
  const roleIn = (id: string) =>
    given.has(id) ? projectRoleOf(user.role, given.get(id)) : ProjectRole.NONE;
  return { projects: projectIds.map(roleIn), secrets: secretIds.map(roleIn) };
}

/**
 * Requires of the signer the role that the method needs. Throws Failure NOT_FOUND with that field
 * where the project is hidden from the signer or the vault has none, PROJECT_ROLE_REQUIRED, or
 * MACHINE_DISABLED.
 */
export async function requireRole(
  db: Tx,
  context: ForwardContext,
  target: RoleTarget,
  field: string,
): Promise<void> {
  const { projectId, secretId } = { projectId: undefined, secretId: undefined, ...target };
  const asked = projectId === undefined ? [] : [projectId];
  const roles = await rolesIn(
    db,
    callerOf(context),
    asked,
    secretId === undefined ? [] : [secretId],
  );
  const shown = context.judge([...roles.projects, ...roles.secrets]);
  if (!shown.every(Boolean)) throw fail(Reason.NOT_FOUND, { field });
}

/**
 * Keeps the signer from being removed until the change ends, in its transaction and before any
 * other lock. Throws Failure MACHINE_DISABLED for one who was.
 */
export async function holdUser(tx: Tx, context: ForwardContext): Promise<void> {
  const { vaultId, userId } = callerOf(context);
  await lockUsers(tx, vaultId, { acting: userId });
  if (await hasEnded(tx, { vaultId, userId })) throw fail(Reason.MACHINE_DISABLED);
}

/**
 * The same as requireRole for a change, in its transaction and before any other lock: until it
 * ends, the signer's role stays what was judged.
 */
export async function holdRole(
  tx: Tx,
  context: ForwardContext,
  target: RoleTarget,
  field: string,
): Promise<void> {
  const { vaultId, userId } = callerOf(context);
  await lockUsers(tx, vaultId, { acting: userId });
  await requireRole(tx, context, target, field);
}
