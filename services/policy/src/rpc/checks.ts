import type { Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { isEnded } from "../standing.ts";
import { findProjects, findSecrets } from "../store/directory.ts";
import { lockMachines, lockProjects } from "../store/locks.ts";
import { findMembership } from "../store/memberships.ts";
import { isPrincipal } from "../store/principals.ts";

/**
 * Locks the machine for a change of what it has. Throws Failure NOT_FOUND when the vault has it
 * not, or it has ended.
 */
export async function lockMachine(tx: Tx, vaultId: string, machineId: string): Promise<void> {
  const standing = (await lockMachines(tx, vaultId, [machineId])).get(machineId);
  if (standing === undefined || isEnded(standing))
    throw fail(Reason.NOT_FOUND, { field: "machine_id" });
}

/**
 * Keeps the project from being purged during a change. Throws Failure NOT_FOUND unless the vault
 * has and shows it.
 */
export async function lockProject(tx: Tx, vaultId: string, projectId: string): Promise<void> {
  const state = (await lockProjects(tx, vaultId, [projectId])).get(projectId);
  if (state !== "live") throw fail(Reason.NOT_FOUND, { field: "project_id" });
}

/** Throws Failure NOT_FOUND unless the vault has or had the machine. */
export async function requireMachine(db: Tx, vaultId: string, machineId: string): Promise<void> {
  if (!(await isPrincipal(db, vaultId, machineId)))
    throw fail(Reason.NOT_FOUND, { field: "machine_id" });
}

/** Throws Failure NOT_FOUND unless the vault has and shows the project. */
export async function requireProject(db: Tx, vaultId: string, projectId: string): Promise<void> {
  const known = await findProjects(db, vaultId, [projectId]);
  if (!known.has(projectId)) throw fail(Reason.NOT_FOUND, { field: "project_id" });
}

/** Throws Failure NOT_FOUND unless the vault has and shows the secret. */
export async function requireSecret(db: Tx, vaultId: string, secretId: string): Promise<void> {
  const known = await findSecrets(db, vaultId, [secretId]);
  if (!known.has(secretId)) throw fail(Reason.NOT_FOUND, { field: "secret_id" });
}

/** Throws Failure NOT_FOUND unless the machine is a member of the project. */
export async function requireMembership(
  db: Tx,
  vaultId: string,
  machineId: string,
  projectId: string,
): Promise<void> {
  const membership = await findMembership(db, vaultId, machineId, projectId);
  if (!membership) throw fail(Reason.NOT_FOUND, { field: "membership" });
}
