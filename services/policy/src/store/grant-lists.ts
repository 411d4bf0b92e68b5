import type { Tx } from "@sallyport/postgres";
import type { Principal } from "../decision/evaluate.ts";
import { type GrantRow, type StoredGrant, grantOf } from "./grants.ts";

/** A grant of a secret that is shown, with what else a read of it would be decided on. */
export type ListedGrant = StoredGrant & { readonly principal: Principal; readonly member: boolean };

/** Counts of what one machine has, hidden objects excluded. */
export type GrantCount = {
  readonly machineId: string;
  readonly projects: number;
  readonly secrets: number;
};

type Row = GrantRow & { status: Principal["status"]; expires_at: Date; member: boolean };
type Page = { readonly after: string; readonly limit: number };

const listed = `
  select g.machine_id, g.secret_id, g.project_id, g.created_at, g.created_by, g.any_version,
         p.status, p.expires_at, exists (
           select from memberships m
            where m.machine_id = g.machine_id and m.project_id = g.project_id
         ) as member
    from grants g
    join live_secrets s on s.secret_id = g.secret_id
    join principals p on p.machine_id = g.machine_id
   where g.vault_id = $1 `;

/** The machine's grants of those secrets, in the order of secret ids. */
export async function findGrants(
  db: Tx,
  vaultId: string,
  machineId: string,
  secretIds: readonly string[],
): Promise<ListedGrant[]> {
  const rows = await db.query<Row>(
    `${listed} and g.machine_id = $2 and g.secret_id = any($3::text[]) order by g.secret_id`,
    [vaultId, machineId, secretIds],
  );
  return rows.map(listedOf);
}

/**
 * Grants of a machine, in one project unless projectId is empty, in the order of secret ids, after
 * one of them.
 */
export async function listGrantsOfMachine(
  db: Tx,
  vaultId: string,
  { machineId, projectId }: { readonly machineId: string; readonly projectId: string },
  page: Page,
): Promise<ListedGrant[]> {
  const rows = await db.query<Row>(
    `${listed} and g.machine_id = $2 and g.secret_id > $3 and ($4 = '' or g.project_id = $4)
      order by g.secret_id limit $5`,
    [vaultId, machineId, page.after, projectId, page.limit],
  );
  return rows.map(listedOf);
}

/** Grants of a secret in the order of machine ids, after one of them. */
export async function listGrantsOfSecret(
  db: Tx,
  vaultId: string,
  secretId: string,
  page: Page,
): Promise<ListedGrant[]> {
  const rows = await db.query<Row>(
    `${listed} and g.secret_id = $2 and g.machine_id > $3 order by g.machine_id limit $4`,
    [vaultId, secretId, page.after, page.limit],
  );
  return rows.map(listedOf);
}

/** Counts what each of the machines has; nothing for those that the vault does not have. */
export async function countGrantsOf(
  db: Tx,
  vaultId: string,
  machineIds: readonly string[],
): Promise<GrantCount[]> {
  const rows = await db.query<{ machine_id: string; projects: number; secrets: number }>(
    `select asked.machine_id,
            (select count(*)::int from memberships m join projects p on p.project_id = m.project_id
              where m.machine_id = asked.machine_id
                and m.vault_id = $1 and p.state = 'live') as projects,
            (select count(*)::int from grants g join live_secrets s on s.secret_id = g.secret_id
              where g.machine_id = asked.machine_id and g.vault_id = $1) as secrets
       from unnest($2::text[]) as asked (machine_id)`,
    [vaultId, machineIds],
  );
  return rows.map(({ machine_id, projects, secrets }) => ({
    machineId: machine_id,
    projects,
    secrets,
  }));
}

function listedOf(row: Row): ListedGrant {
  const principal = { status: row.status, expiresAtMs: row.expires_at.getTime() };
  return { ...grantOf(row), principal, member: row.member };
}
