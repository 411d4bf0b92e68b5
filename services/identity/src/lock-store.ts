import type { Tx } from "@sallyport/postgres";

/**
 * Until the transaction ends, no other transaction adds a machine to the vault: the count and the
 * free names hold.
 */
export async function lockMachinesOf(tx: Tx, vaultId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('sallyport-machines ' || $1, 0))", [
    vaultId,
  ]);
}

/**
 * Until the transaction ends, no other transaction adds, removes or renews users and devices of the
 * vault.
 */
export async function lockUsersOf(tx: Tx, vaultId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('sallyport-people ' || $1, 0))", [
    vaultId,
  ]);
}
