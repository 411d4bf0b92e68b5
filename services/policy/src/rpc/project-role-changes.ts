import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import { projectRoleName } from "@sallyport/roles";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { fail } from "@sallyport/rpc";
import { lockUsers } from "../store/locks.ts";
import {
  type StoredRole,
  countRoles,
  deleteRole,
  findRole,
  hasEnded,
  putRole,
} from "../store/project-roles.ts";
import { lockStates } from "../store/states.ts";
import type { PublicParts } from "./records.ts";
import { requireRole } from "./rights.ts";

/**
 * The greatest number of roles of a project, and of a user: as many as one internal reply may hold.
 */
export const mostRoles = 1_000;

type Named = { readonly userId: string; readonly projectId: string };

/**
 * Gives a user a role in a project. Throws Failure NOT_FOUND, PROJECT_ROLE_REQUIRED or
 * FIELD_INVALID.
 */
export async function setProjectRole(
  tx: Tx,
  context: ForwardContext,
  { userId, projectId, role }: Named & { readonly role: ProjectRole },
  { outbox, clock }: PublicParts,
): Promise<StoredRole> {
  const { vaultId, userId: updatedBy } = callerOf(context);
  const at = new Date(clock());
  await lock(tx, context, { userId, projectId });
  const states = await lockStates(tx, "project", vaultId, [projectId]);
  if (states.get(projectId) !== "live") throw fail(Reason.NOT_FOUND, { field: "project_id" });
  const user = { vaultId, userId };
  if (await hasEnded(tx, user)) throw fail(Reason.NOT_FOUND, { field: "user_id" });
  const former = await findRole(tx, user, projectId);
  if (former?.role === role) return former;
  if (!former) await requireRoom(tx, { ...user, projectId });
  const stored = { userId, projectId, role, updatedAt: at, updatedBy };
  await putRole(tx, vaultId, stored);
  const detail = {
    role: projectRoleName(role),
    ...(former ? { former_role: projectRoleName(former.role) } : {}),
  };
  const record = { ...recordOf(context, at), projectId, subjectId: userId, detail };
  await outbox.record(tx, newEvent("policy", "project_role.set", record));
  return stored;
}

/**
 * Takes a user's role in a project back, a deleted project's too. Throws NOT_FOUND or
 * PROJECT_ROLE_REQUIRED.
 */
export async function removeProjectRole(
  tx: Tx,
  context: ForwardContext,
  { userId, projectId }: Named,
  { outbox, clock }: PublicParts,
): Promise<void> {
  const { vaultId } = callerOf(context);
  await lock(tx, context, { userId, projectId });
  await lockStates(tx, "project", vaultId, [projectId]);
  const former = await deleteRole(tx, { vaultId, userId }, projectId);
  if (!former) throw fail(Reason.NOT_FOUND, { field: "project_role" });
  const detail = { former_role: projectRoleName(former.role) };
  const at = new Date(clock());
  const record = { ...recordOf(context, at), projectId, subjectId: userId, detail };
  await outbox.record(tx, newEvent("policy", "project_role.removed", record));
}

// A manager may give every role: there is none above it. The owner's and the admin's are not here
// to be changed.
async function lock(tx: Tx, context: ForwardContext, { userId, projectId }: Named): Promise<void> {
  const { vaultId, userId: acting } = callerOf(context);
  await lockUsers(tx, vaultId, { acting, changed: userId });
  await requireRole(tx, context, { projectId }, "project_id");
}

async function requireRoom(
  tx: Tx,
  { projectId, ...user }: Named & { readonly vaultId: string },
): Promise<void> {
  const { inProject, ofUser } = await countRoles(tx, user, projectId);
  if (inProject < mostRoles && ofUser < mostRoles) return;
  const [field, whose] =
    inProject < mostRoles ? (["user_id", "user"] as const) : (["project_id", "project"] as const);
  const description = `the ${whose} has ${mostRoles} project roles: remove one first`;
  throw fail(Reason.FIELD_INVALID, { field, description });
}
