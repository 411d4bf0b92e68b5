import type { Tx } from "@sallyport/postgres";

/** A tenant. */
export type Vault = { readonly vaultId: string; readonly name: string; readonly createdAt: Date };

type VaultRow = { vault_id: string; name: string; created_at: Date };

/** Adds a vault. */
export async function insertVault(tx: Tx, { vaultId, name, createdAt }: Vault): Promise<void> {
  await tx.query("insert into vaults (vault_id, name, created_at) values ($1, $2, $3)", [
    vaultId,
    name,
    createdAt,
  ]);
}

/** The vault of that id. */
export async function findVault(db: Tx, vaultId: string): Promise<Vault | undefined> {
  const rows = await db.query<VaultRow>(
    "select vault_id, name, created_at from vaults where vault_id = $1",
    [vaultId],
  );
  return rows.map(vaultOf)[0];
}

/**
 * The oldest vault; serialises with every other transaction that asks, so that only one makes the
 * first.
 */
export async function lockFirstVault(tx: Tx): Promise<Vault | undefined> {
  await tx.query("select pg_advisory_xact_lock(hashtext('sallyport-first-vault'))");
  const rows = await tx.query<VaultRow>(
    "select vault_id, name, created_at from vaults order by created_at, vault_id limit 1",
  );
  return rows.map(vaultOf)[0];
}

function vaultOf(row: VaultRow): Vault {
  return { vaultId: row.vault_id, name: row.name, createdAt: row.created_at };
}
