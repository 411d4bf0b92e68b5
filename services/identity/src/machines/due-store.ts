import type { Tx } from "@sallyport/postgres";
import { type Machine, type MachineRow, machineColumns, machineOf } from "./store.ts";

/**
 * Vaults with machines whose lifetime is over and of which that is not stored yet, `limit` at most.
 */
export async function vaultsWithDue(db: Tx, now: Date, limit: number): Promise<string[]> {
  const rows = await db.query<{ vault_id: string }>(
    `select distinct vault_id from machines
      where state in ('provisioning', 'active', 'disabled') and expires_at <= $1
      limit $2`,
    [now, limit],
  );
  return rows.map(({ vault_id }) => vault_id);
}

/**
 * Some of such machines of a vault, oldest first; those that somebody else works on are left to
 * them.
 */
export async function lockDue(
  tx: Tx,
  vaultId: string,
  now: Date,
  limit: number,
): Promise<Machine[]> {
  const rows = await tx.query<MachineRow>(
    `select ${machineColumns} from machines
      where vault_id = $1 and state in ('provisioning', 'active', 'disabled') and expires_at <= $2
      order by expires_at, machine_id
      limit $3
      for update skip locked`,
    [vaultId, now, limit],
  );
  return rows.map(machineOf);
}
