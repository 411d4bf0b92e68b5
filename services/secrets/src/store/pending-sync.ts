import type { Tx } from "@sallyport/postgres";
import type { Resource } from "./resources.ts";

/** Notes that policy may believe the opposite of what is stored about a project or secret. */
export async function addUnsettled(db: Tx, { id, vaultId }: Resource): Promise<void> {
  await db.query("insert into unsettled (id, vault_id) values ($1, $2) on conflict do nothing", [
    id,
    vaultId,
  ]);
}

/** Notes that policy has heard. */
export async function removeUnsettled(db: Tx, id: string): Promise<void> {
  await db.query("delete from unsettled where id = $1", [id]);
}

/**
 * Puts one behind all others, so that what policy refuses does not keep it from hearing the rest.
 */
export async function postponeUnsettled(db: Tx, id: string): Promise<void> {
  await db.query("update unsettled set since = clock_timestamp() where id = $1", [id]);
}

/** Lists the resources that policy still has to hear of, oldest first. */
export async function listUnsettled(db: Tx, limit: number): Promise<Resource[]> {
  const rows = await db.query<{ id: string; vault_id: string }>(
    "select id, vault_id from unsettled order by since, id limit $1",
    [limit],
  );
  return rows.map(({ id, vault_id }) => ({ id, vaultId: vault_id }));
}
