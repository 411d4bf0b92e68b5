import { type ForwardContext, callerOf, recordOf } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { findSecrets, placesOf } from "../store/directory.ts";
import { type ListedGrant, findGrants } from "../store/grant-lists.ts";
import {
  type Granting,
  type StoredGrant,
  addGrants,
  changeGrants,
  deleteGrant,
  deleteOtherGrants,
} from "../store/grants.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { lockMachine, lockProject, requireMembership, requireSecret } from "./checks.ts";
import type { PublicParts } from "./records.ts";
import { holdRole } from "./rights.ts";

type Named = { readonly machineId: string; readonly secretId: string };
type Reach = { readonly anyVersion: boolean };
type FullSet = {
  readonly machineId: string;
  readonly projectId: string;
  readonly secretIds: readonly string[];
};

/** Grants one secret, or changes what its grant reaches. Throws Failure NOT_FOUND. */
export async function addGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId, anyVersion }: Named & Reach,
  parts: PublicParts,
): Promise<ListedGrant> {
  const { userId, vaultId } = callerOf(context);
  await holdRole(tx, context, { secretId }, "secret_id");
  await lockMachine(tx, vaultId, machineId);
  const projectId = await lockProjectOf(tx, vaultId, secretId);
  await requireSecret(tx, vaultId, secretId);
  await requireMembership(tx, vaultId, machineId, projectId);
  const granting = {
    vaultId,
    machineId,
    createdBy: userId,
    at: new Date(parts.clock()),
    anyVersion,
  };
  await give(tx, context, granting, [secretId], parts);
  const [grant] = await findGrants(tx, vaultId, machineId, [secretId]);
  // It was retired this very moment.
  if (!grant) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
  return grant;
}

/** Takes one grant back. Throws Failure NOT_FOUND. */
export async function removeGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId }: Named,
  parts: PublicParts,
): Promise<void> {
  const { vaultId } = callerOf(context);
  await holdRole(tx, context, { secretId }, "grant");
  await lockMachines(tx, vaultId, [machineId]);
  await lockProjectOf(tx, vaultId, secretId);
  const removed = await deleteGrant(tx, vaultId, machineId, secretId);
  if (!removed) throw fail(Reason.NOT_FOUND, { field: "grant" });
  await recordRemoved(tx, context, [removed], parts);
}

/**
 * Makes the secrets the only ones of the project that the machine may read. Throws Failure
 * NOT_FOUND.
 */
export async function setGrants(
  tx: Tx,
  context: ForwardContext,
  { machineId, projectId, secretIds, anyVersion }: FullSet & Reach,
  parts: PublicParts,
): Promise<{ grants: ListedGrant[]; added: number; removed: number; changed: number }> {
  const { userId, vaultId } = callerOf(context);
  await holdRole(tx, context, { projectId }, "project_id");
  await lockMachine(tx, vaultId, machineId);
  await lockProject(tx, vaultId, projectId);
  await requireMembership(tx, vaultId, machineId, projectId);
  const places = await findSecrets(tx, vaultId, secretIds);
  if (!secretIds.every((id) => places.get(id) === projectId))
    throw fail(Reason.NOT_FOUND, { field: "secret_ids" });
  const removed = await deleteOtherGrants(tx, { vaultId, machineId }, projectId, secretIds);
  await recordRemoved(tx, context, removed, parts);
  const granting = {
    vaultId,
    machineId,
    createdBy: userId,
    at: new Date(parts.clock()),
    anyVersion,
  };
  const given = await give(tx, context, granting, secretIds, parts);
  const grants = await findGrants(tx, vaultId, machineId, secretIds);
  return { grants, removed: removed.length, ...given };
}

// A secret stays in its project, so it may be looked up before that is locked. Empty when the vault
// has no such secret.
async function lockProjectOf(tx: Tx, vaultId: string, secretId: string): Promise<string> {
  const place = (await placesOf(tx, vaultId, [secretId])).get(secretId);
  if (!place) return "";
  await lockProjects(tx, vaultId, [place.projectId]);
  return place.projectId;
}

// Afterwards the machine, a member of their projects, has a grant of each secret, all of the same
// reach; there is one record for each grant that is new or another than it was.
async function give(
  tx: Tx,
  context: ForwardContext,
  granting: Granting,
  secretIds: readonly string[],
  { outbox }: PublicParts,
): Promise<{ added: number; changed: number }> {
  const changed = await changeGrants(tx, granting, secretIds);
  const added = await addGrants(tx, granting, secretIds);
  const detail = { any_version: String(granting.anyVersion) };
  const about = (grant: StoredGrant) => ({ ...subjectOf(context, grant, granting.at), detail });
  await outbox.record(
    tx,
    ...changed.map((grant) => newEvent("policy", "grant.changed", about(grant))),
    ...added.map((grant) => newEvent("policy", "grant.added", about(grant))),
  );
  return { added: added.length, changed: changed.length };
}

async function recordRemoved(
  tx: Tx,
  context: ForwardContext,
  removed: readonly StoredGrant[],
  { outbox, clock }: PublicParts,
): Promise<void> {
  const at = new Date(clock());
  const about = (grant: StoredGrant) => subjectOf(context, grant, at);
  await outbox.record(
    tx,
    ...removed.map((grant) => newEvent("policy", "grant.removed", about(grant))),
  );
}

function subjectOf(
  context: ForwardContext,
  { machineId, projectId, secretId }: StoredGrant,
  at: Date,
) {
  return { ...recordOf(context, at), machineId, projectId, secretId };
}
