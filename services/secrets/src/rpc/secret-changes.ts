import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UpdateSecretRequest } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { fail } from "@sallyport/rpc";
import { holdSecret, markDeleted, markRestored } from "../store/resources.ts";
import { keepProject } from "../store/projects.ts";
import { type StoredSecret, changeNote } from "../store/secrets.ts";
import { orNameTaken } from "./name-conflicts.ts";
import type { PublicParts } from "./records.ts";
import { requireSecret } from "./require-secret.ts";
import { requireRole } from "./rights.ts";

/**
 * Replaces the note. The record says that it changed, not what it says: notes may hold more than a
 * log should keep.
 */
export async function updateSecret(
  tx: Tx,
  context: ForwardContext,
  { secretId, note }: UpdateSecretRequest,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { vaultId } = callerOf(context);
  await requireRole(context, parts, { secretId }, "secret_id");
  const changed = await changeNote(tx, vaultId, { secretId, note });
  const secret = await requireSecret(tx, vaultId, secretId);
  if (!changed) return secret;
  const { projectId, name } = secret;
  const record = { ...recordOf(context, new Date(parts.clock())), projectId, secretId };
  await parts.outbox.record(
    tx,
    newEvent("secrets", "secret.updated", { ...record, detail: { name, changed: "note" } }),
  );
  return secret;
}

/** Deletes a secret: policy first, so that whatever fails later nothing reads it meanwhile. */
export async function deleteSecret(
  tx: Tx,
  context: ForwardContext,
  secretId: string,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { userId, vaultId } = callerOf(context);
  await requireRole(context, parts, { secretId }, "secret_id");
  const secret = await holdSecret(tx, vaultId, secretId);
  if (!secret) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  await parts.liveness.hide(tx, { vaultId, id: secretId });
  if (secret.deletion) return secret;
  await markDeleted(tx, secretId, userId);
  const { projectId, name } = secret;
  const record = {
    ...recordOf(context, new Date(parts.clock())),
    projectId,
    secretId,
    detail: { name },
  };
  await parts.outbox.record(tx, newEvent("secrets", "secret.deleted", record));
  return requireSecret(tx, vaultId, secretId, "restorable");
}

/** Brings a deleted secret back. Policy hears of it after the commit: until then it is not read. */
export async function restoreSecret(
  tx: Tx,
  context: ForwardContext,
  secretId: string,
  parts: PublicParts,
): Promise<StoredSecret> {
  const { vaultId } = callerOf(context);
  await requireRole(context, parts, { secretId }, "secret_id");
  // The project first and then the secret, as when a secret is made.
  const { projectId } = await requireSecret(tx, vaultId, secretId, "restorable");
  if (!(await keepProject(tx, vaultId, projectId)))
    throw fail(Reason.NOT_FOUND, { field: "project_id" });
  const secret = await holdSecret(tx, vaultId, secretId);
  if (!secret) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  await parts.liveness.promise(tx, { vaultId, id: secretId });
  if (!secret.deletion) return secret;
  await orNameTaken(() => markRestored(tx, secretId));
  const { name } = secret;
  const record = {
    ...recordOf(context, new Date(parts.clock())),
    projectId,
    secretId,
    detail: { name },
  };
  await parts.outbox.record(tx, newEvent("secrets", "secret.restored", record));
  return requireSecret(tx, vaultId, secretId);
}
