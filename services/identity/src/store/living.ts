import type { Tx } from "@sallyport/postgres";

/** How many of the vault's machines live: neither revoked nor past their time. Counts up to `limit`. */
export async function countLiving(db: Tx, vaultId: string, now: Date, limit: number): Promise<number> {
  const [row] = await db.query<{ living: number }>(
    `select count(*)::int as living from (
       select 1 from machines
        where vault_id = $1 and state in ('provisioning', 'active', 'disabled') and expires_at > $2
        limit $3) as living`,
    [vaultId, now, limit],
  );
  return row?.living ?? 0;
}
