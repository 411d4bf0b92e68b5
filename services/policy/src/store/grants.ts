import type { Tx } from "@sallyport/postgres";
import type { Assignment } from "./memberships.ts";

/** The right of a machine to read a secret, and older versions of it too if anyVersion. */
export type StoredGrant = {
  readonly machineId: string;
  readonly secretId: string;
  readonly projectId: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly anyVersion: boolean;
};

/** A grant to be made: its maker, the machine, the time, and whether it includes older versions. */
export type Granting = Assignment & { readonly anyVersion: boolean };

/** A grant as it is stored. */
export type GrantRow = {
  machine_id: string;
  secret_id: string;
  project_id: string;
  created_at: Date;
  created_by: string;
  any_version: boolean;
};

const columns = "machine_id, secret_id, project_id, created_at, created_by, any_version";

/**
 * Grants those secrets in whose project the machine is a member, hidden ones too; returns only the
 * grants that are new.
 */
export async function addGrants(
  tx: Tx,
  { vaultId, machineId, createdBy, at, anyVersion }: Granting,
  secretIds: readonly string[],
): Promise<StoredGrant[]> {
  const rows = await tx.query<GrantRow>(
    `insert into grants
       (machine_id, secret_id, project_id, vault_id, created_by, created_at, any_version)
     select $1::text, s.secret_id, s.project_id, s.vault_id, $3::text, $4::timestamptz, $6::boolean
       from secrets s
       join memberships m on m.machine_id = $1::text and m.project_id = s.project_id
      where s.vault_id = $2 and s.secret_id = any($5::text[]) and s.state <> 'purged'
      order by s.secret_id
     on conflict (machine_id, secret_id) do nothing
     returning ${columns}`,
    [machineId, vaultId, createdBy, at, secretIds, anyVersion],
  );
  return rows.map(grantOf);
}

/**
 * Sets whether the machine's grants of those secrets reach older versions; returns only the grants
 * that it changes.
 */
export async function changeGrants(
  tx: Tx,
  { vaultId, machineId, anyVersion }: Omit<Granting, "createdBy" | "at">,
  secretIds: readonly string[],
): Promise<StoredGrant[]> {
  const rows = await tx.query<GrantRow>(
    `update grants set any_version = $4
      where machine_id = $1 and vault_id = $2 and secret_id = any($3::text[]) and any_version <> $4
      returning ${columns}`,
    [machineId, vaultId, secretIds, anyVersion],
  );
  return rows.map(grantOf);
}

/** Takes a grant back and returns it; undefined when there was none. */
export async function deleteGrant(
  tx: Tx,
  vaultId: string,
  machineId: string,
  secretId: string,
): Promise<StoredGrant | undefined> {
  const rows = await tx.query<GrantRow>(
    "delete from grants where machine_id = $1 and secret_id = $2 and vault_id = $3 returning " +
      columns,
    [machineId, secretId, vaultId],
  );
  return rows.map(grantOf)[0];
}

/**
 * Takes back what the machine has of a project besides those secrets, hidden ones too, and returns
 * it.
 */
export async function deleteOtherGrants(
  tx: Tx,
  { vaultId, machineId }: Pick<Assignment, "vaultId" | "machineId">,
  projectId: string,
  secretIds: readonly string[],
): Promise<StoredGrant[]> {
  const rows = await tx.query<GrantRow>(
    `delete from grants
      where machine_id = $1 and vault_id = $2 and project_id = $3 and secret_id <> all($4::text[])
      returning ${columns}`,
    [machineId, vaultId, projectId, secretIds],
  );
  return rows.map(grantOf);
}

/** Number of grants that a machine has in a project. */
export async function countGrants(tx: Tx, machineId: string, projectId: string): Promise<number> {
  const rows = await tx.query<{ grants: number }>(
    "select count(*)::int as grants from grants where machine_id = $1 and project_id = $2",
    [machineId, projectId],
  );
  return rows[0]?.grants ?? 0;
}

/** The grant of a row. */
export function grantOf(row: GrantRow): StoredGrant {
  return {
    machineId: row.machine_id,
    secretId: row.secret_id,
    projectId: row.project_id,
    createdAt: row.created_at,
    createdBy: row.created_by,
    anyVersion: row.any_version,
  };
}
