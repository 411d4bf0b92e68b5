import type { Tx } from "@sallyport/postgres";
import type { Resource } from "./resources.ts";

/** A deleted project or secret whose time is over; projectId is its own for a project. */
export type Due = Resource & { readonly projectId: string; readonly name: string };

type Row = { id: string; vault_id: string; project_id: string; name: string };

/**
 * Secrets that are to be purged, oldest deletion first, held until the transaction ends; not those
 * that another holds.
 */
export async function holdDueSecrets(tx: Tx, limit: number): Promise<Due[]> {
  const rows = await tx.query<Row>(
    `select secret_id as id, vault_id, project_id, name from secrets
      where deleted_at <= now() - purge_delay()
      order by deleted_at limit $1 for update skip locked`,
    [limit],
  );
  return rows.map(dueOf);
}

/** Projects without secrets that are to be purged, likewise. */
export async function holdDueProjects(tx: Tx, limit: number): Promise<Due[]> {
  const rows = await tx.query<Row>(
    `select p.project_id as id, p.vault_id, p.project_id, p.name from projects p
      where p.deleted_at <= now() - purge_delay()
        and not exists (select from secrets s where s.project_id = p.project_id)
      order by p.deleted_at limit $1 for update skip locked`,
    [limit],
  );
  return rows.map(dueOf);
}

/**
 * Purges those of the secrets that are due, by the database's own judgement; returns the ids of
 * those that are gone.
 */
export async function purgeSecrets(tx: Tx, secretIds: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    "select id from purge_secrets($1::text[]) as gone (id)",
    [secretIds],
  );
  return rows.map(({ id }) => id);
}

/** Purges those of the projects that are due, with their keys, likewise. */
export async function purgeProjects(tx: Tx, projectIds: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    "select id from purge_projects($1::text[]) as gone (id)",
    [projectIds],
  );
  return rows.map(({ id }) => id);
}

function dueOf({ id, vault_id, project_id, name }: Row): Due {
  return { id, vaultId: vault_id, projectId: project_id, name };
}
