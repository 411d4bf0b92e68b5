import type { ForwardContext } from "@sallyport/evidence";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { placesOf } from "../store/directory.ts";
import {
  type Granting,
  type StoredGrant,
  addGrants,
  changeGrants,
  deleteGrant,
  findGrant,
} from "../store/grants.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { type PublicParts, callerOf, lockMachine, recordOf, requireSecret } from "./records.ts";

type Named = { readonly machineId: string; readonly secretId: string };

/** Grants one secret, or changes what its grant reaches. Throws Failure NOT_FOUND. */
export async function addGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId, anyVersion }: Named & { readonly anyVersion: boolean },
  parts: PublicParts,
): Promise<StoredGrant> {
  const { userId, vaultId } = callerOf(context);
  await lockMachine(tx, vaultId, machineId);
  await lockProjectOf(tx, vaultId, secretId);
  await requireSecret(tx, vaultId, secretId);
  const granting = { vaultId, machineId, createdBy: userId, at: new Date(parts.clock()), anyVersion };
  await give(tx, context, granting, [secretId], parts);
  const grant = await findGrant(tx, vaultId, machineId, secretId);
  if (!grant) throw fail(Reason.NOT_FOUND, { field: "membership" });
  return grant;
}

/** Takes one grant back. Throws Failure NOT_FOUND. */
export async function removeGrant(
  tx: Tx,
  context: ForwardContext,
  { machineId, secretId }: Named,
  { outbox, clock }: PublicParts,
): Promise<void> {
  const { vaultId } = callerOf(context);
  await lockMachines(tx, vaultId, [machineId]);
  await lockProjectOf(tx, vaultId, secretId);
  const removed = await deleteGrant(tx, vaultId, machineId, secretId);
  if (!removed) throw fail(Reason.NOT_FOUND, { field: "grant" });
  const { projectId } = removed;
  const record = { ...recordOf(context, new Date(clock())), machineId, secretId, projectId };
  await outbox.record(tx, newEvent("policy", "grant.removed", record));
}

// A secret stays in its project, so it may be looked up before that is locked.
async function lockProjectOf(tx: Tx, vaultId: string, secretId: string): Promise<void> {
  const place = (await placesOf(tx, vaultId, [secretId])).get(secretId);
  if (place) await lockProjects(tx, vaultId, [place.projectId]);
}

// Afterwards the machine has a grant of each secret in whose project it is a member, all of the same reach; there is one
// record for each grant that is new or another than it was.
async function give(
  tx: Tx,
  context: ForwardContext,
  granting: Granting,
  secretIds: readonly string[],
  { outbox }: PublicParts,
): Promise<void> {
  const changed = await changeGrants(tx, granting, secretIds);
  const added = await addGrants(tx, granting, secretIds);
  const detail = { any_version: String(granting.anyVersion) };
  const about = ({ machineId, projectId, secretId }: StoredGrant) => ({
    ...recordOf(context, granting.at),
    machineId,
    projectId,
    secretId,
    detail,
  });
  for (const grant of changed) await outbox.record(tx, newEvent("policy", "grant.changed", about(grant)));
  for (const grant of added) await outbox.record(tx, newEvent("policy", "grant.added", about(grant)));
}
