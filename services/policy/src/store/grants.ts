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

/** Who grants, to whom, when, and whether older versions go with it. */
export type Granting = Assignment & { readonly anyVersion: boolean };

type Row = {
  machine_id: string;
  secret_id: string;
  project_id: string;
  created_at: Date;
  created_by: string;
  any_version: boolean;
};
type PageOf = { readonly after: string; readonly limit: number };

const columns = "machine_id, secret_id, project_id, created_at, created_by, any_version";

/**
 * Grants those secrets in whose project the machine is a member, hidden ones too; returns only the grants that are new.
 */
export async function addGrants(
  tx: Tx,
  { vaultId, machineId, createdBy, at, anyVersion }: Granting,
  secretIds: readonly string[],
): Promise<StoredGrant[]> {
  const rows = await tx.query<Row>(
    `insert into grants (machine_id, secret_id, project_id, vault_id, created_by, created_at, any_version)
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

/** Sets whether the machine's grants of those secrets reach older versions; returns only the grants that it changes. */
export async function changeGrants(
  tx: Tx,
  { vaultId, machineId, anyVersion }: Omit<Granting, "createdBy" | "at">,
  secretIds: readonly string[],
): Promise<StoredGrant[]> {
  const rows = await tx.query<Row>(
    `update grants set any_version = $4
      where machine_id = $1 and vault_id = $2 and secret_id = any($3::text[]) and any_version <> $4
      returning ${columns}`,
    [machineId, vaultId, secretIds, anyVersion],
  );
  return rows.map(grantOf);
}

/** The grant of a secret to a machine of the vault. */
export async function findGrant(
  tx: Tx,
  vaultId: string,
  machineId: string,
  secretId: string,
): Promise<StoredGrant | undefined> {
  const rows = await tx.query<Row>(
    `select ${columns} from grants where machine_id = $1 and secret_id = $2 and vault_id = $3`,
    [machineId, secretId, vaultId],
  );
  return rows.map(grantOf)[0];
}

/** Takes a grant back and returns it; undefined when there was none. */
export async function deleteGrant(
  tx: Tx,
  vaultId: string,
  machineId: string,
  secretId: string,
): Promise<StoredGrant | undefined> {
  const rows = await tx.query<Row>(
    `delete from grants where machine_id = $1 and secret_id = $2 and vault_id = $3 returning ${columns}`,
    [machineId, secretId, vaultId],
  );
  return rows.map(grantOf)[0];
}

/** Number of grants that a machine has in a project. */
export async function countGrants(tx: Tx, machineId: string, projectId: string): Promise<number> {
  const rows = await tx.query<{ grants: number }>(
    "select count(*)::int as grants from grants where machine_id = $1 and project_id = $2",
    [machineId, projectId],
  );
  return rows[0]?.grants ?? 0;
}

/** Grants of a machine of secrets that are shown, in the order of secret ids, after one of them. */
export async function listGrantsOfMachine(
  db: Tx,
  vaultId: string,
  machineId: string,
  page: PageOf,
): Promise<StoredGrant[]> {
  const rows = await db.query<Row>(
    `select ${columns} from grants
      where machine_id = $1 and vault_id = $2 and secret_id > $3
        and exists (select from live_secrets s where s.secret_id = grants.secret_id)
      order by secret_id limit $4`,
    [machineId, vaultId, page.after, page.limit],
  );
  return rows.map(grantOf);
}

/** Grants of a secret in the order of machine ids, after one of them. */
export async function listGrantsOfSecret(
  db: Tx,
  vaultId: string,
  secretId: string,
  page: PageOf,
): Promise<StoredGrant[]> {
  const rows = await db.query<Row>(
    `select ${columns} from grants
      where secret_id = $1 and vault_id = $2 and machine_id > $3 order by machine_id limit $4`,
    [secretId, vaultId, page.after, page.limit],
  );
  return rows.map(grantOf);
}

function grantOf(row: Row): StoredGrant {
  return {
    machineId: row.machine_id,
    secretId: row.secret_id,
    projectId: row.project_id,
    createdAt: row.created_at,
    createdBy: row.created_by,
    anyVersion: row.any_version,
  };
}
