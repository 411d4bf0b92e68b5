import type { Tx } from "@sallyport/postgres";
import { type Machine, type MachineRow, machineColumns, machineOf } from "./store.ts";

/** Counts the vault's living machines: neither revoked nor past their time. */
export async function countLiving(db: Tx, vaultId: string, now: Date): Promise<number> {
  const [row] = await db.query<{ living: number }>(
    `select count(*)::int as living from machines
      where vault_id = $1 and state in ('provisioning', 'active', 'disabled') and expires_at > $2`,
    [vaultId, now],
  );
  return row?.living ?? 0;
}

/** Counts the token's living machines. */
export async function countLivingOf(
  db: Tx,
  vaultId: string,
  tokenId: string,
  now: Date,
): Promise<number> {
  const [row] = await db.query<{ living: number }>(
    `select count(*)::int as living from machines
      where vault_id = $1 and token_id = $2
        and state in ('provisioning', 'active', 'disabled') and expires_at > $3`,
    [vaultId, tokenId, now],
  );
  return row?.living ?? 0;
}

/**
 * Finds some of the token's living machines and locks them: their state does not change until the
 * transaction ends.
 */
export async function lockLivingOf(
  tx: Tx,
  vaultId: string,
  tokenId: string,
  now: Date,
  limit: number,
): Promise<Machine[]> {
  const rows = await tx.query<MachineRow>(
    `select ${machineColumns} from machines
      where vault_id = $1 and token_id = $2
        and state in ('provisioning', 'active', 'disabled') and expires_at > $3
      order by machine_id
      limit $4
      for update`,
    [vaultId, tokenId, now, limit],
  );
  return rows.map(machineOf);
}
