import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { DeleteProjectRequest } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { fail } from "@sallyport/rpc";
import { holdProject, markDeleted, markRestored } from "../store/resources.ts";
import type { StoredProject } from "../store/projects.ts";
import { orNameTaken } from "./name-conflicts.ts";
import type { PublicParts } from "./records.ts";
import { requireRole } from "./rights.ts";

/**
 * Deletes a project in which no secret lives, policy first. A writer that adds one meanwhile
 * waits, or is waited for.
 */
export async function deleteProject(
  tx: Tx,
  context: ForwardContext,
  { projectId, name }: DeleteProjectRequest,
  parts: PublicParts,
): Promise<StoredProject> {
  const { userId, vaultId } = callerOf(context);
  await requireRole(context, parts, { projectId }, "project_id");
  const project = await requireHeld(tx, vaultId, projectId);
  if (project.name !== name)
    throw fail(Reason.FIELD_INVALID, { field: "name", description: "is not the project's name" });
  if (project.secrets > 0)
    throw fail(Reason.PROJECT_NOT_EMPTY, { secrets: String(project.secrets) });
  await parts.liveness.hide(tx, { vaultId, id: projectId });
  if (project.deletion) return project;
  await markDeleted(tx, projectId, userId);
  const record = { ...recordOf(context, new Date(parts.clock())), projectId, detail: { name } };
  await parts.outbox.record(tx, newEvent("secrets", "project.deleted", record));
  return requireHeld(tx, vaultId, projectId);
}

/**
 * Brings a deleted project back, without the secrets that were deleted in it. Policy hears of it
 * after the commit.
 */
export async function restoreProject(
  tx: Tx,
  context: ForwardContext,
  projectId: string,
  parts: PublicParts,
): Promise<StoredProject> {
  const { vaultId } = callerOf(context);
  await requireRole(context, parts, { projectId }, "project_id");
  const project = await requireHeld(tx, vaultId, projectId);
  await parts.liveness.promise(tx, { vaultId, id: projectId });
  if (!project.deletion) return project;
  await orNameTaken(() => markRestored(tx, projectId));
  const { name } = project;
  const record = { ...recordOf(context, new Date(parts.clock())), projectId, detail: { name } };
  await parts.outbox.record(tx, newEvent("secrets", "project.restored", record));
  return requireHeld(tx, vaultId, projectId);
}

async function requireHeld(tx: Tx, vaultId: string, projectId: string): Promise<StoredProject> {
  const project = await holdProject(tx, vaultId, projectId);
  if (!project) throw fail(Reason.NOT_FOUND, { field: "project_id" });
  return project;
}
