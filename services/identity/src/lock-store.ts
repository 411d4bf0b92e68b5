import type { Tx } from "@sallyport/postgres";

/**
 * Until the transaction ends, nobody else adds a machine to the vault: what was counted and which
 * names are free holds.
 */
export async function lockMachinesOf(tx: Tx, vaultId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('sallyport-machines ' || $1, 0))", [
    vaultId,
  ]);
}

/**
 * Until the transaction ends, nobody else adds, removes or renews people and devices of the vault.
 */
export async function lockPeopleOf(tx: Tx, vaultId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('sallyport-people ' || $1, 0))", [
    vaultId,
  ]);
}
