import type { Tx } from "@sallyport/postgres";
import type { Standing } from "../standing.ts";
import type { State } from "./directory.ts";

// The order of locks, so that no two transactions wait for each other: users, then machines, then
// projects, then everything else; of several of one kind in the order of their ids.

/**
 * Keeps the project roles of the user who acts as they are until the transaction ends, and locks
 * those of the user, if any, whose roles it changes. After the answer that a role is gone nobody
 * finds nothing changed with it afterwards: the change was committed before, or sees the role gone.
 * Users have no rows here, so the locks are advisory.
 */
export async function lockUsers(
  tx: Tx,
  vaultId: string,
  { acting, changed }: { readonly acting?: string; readonly changed?: string },
): Promise<void> {
  const users = [acting, changed].filter((userId) => userId !== undefined);
  for (const userId of [...new Set(users)].toSorted()) {
    const lock = userId === changed ? "pg_advisory_xact_lock" : "pg_advisory_xact_lock_shared";
    await tx.query(`select ${lock}(hashtextextended($1, 0))`, [
      `project-roles ${vaultId} ${userId}`,
    ]);
  }
}

/**
 * Locks those of the machines that the vault has until the transaction ends, and returns their
 * standing. Every change of a machine's standing, memberships and grants begins here, so that no
 * two of them cross.
 */
export async function lockMachines(
  tx: Tx,
  vaultId: string,
  machineIds: readonly string[],
): Promise<Map<string, Standing>> {
  const rows = await tx.query<{ machine_id: string; status: Standing }>(
    `select machine_id, status from principals where vault_id = $1 and machine_id = any($2::text[])
      order by machine_id for no key update`,
    [vaultId, machineIds],
  );
  return new Map(rows.map(({ machine_id, status }) => [machine_id, status]));
}

type LockedProject = { readonly project_id: string; readonly state: State };

/**
 * Keeps projects and their secrets from being purged until the transaction ends, and returns the
 * state of those that the vault has. What changes memberships or grants in a project calls this
 * after it has locked its machines.
 */
export async function lockProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<Map<string, State>> {
  const rows = await tx.query<LockedProject>(
    `select project_id, state from projects where vault_id = $1 and project_id = any($2::text[])
      order by project_id for key share`,
    [vaultId, projectIds],
  );
  return new Map(rows.map(({ project_id, state }) => [project_id, state]));
}

/**
 * Waits until nobody holds one of the projects by lockProjects, and keeps all others out until the
 * transaction ends.
 */
export async function claimProjects(
  tx: Tx,
  vaultId: string,
  projectIds: readonly string[],
): Promise<void> {
  await tx.query<LockedProject>(
    `select project_id, state from projects where vault_id = $1 and project_id = any($2::text[])
      order by project_id for update`,
    [vaultId, projectIds],
  );
}
