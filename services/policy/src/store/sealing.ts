import type { Tx } from "@sallyport/postgres";

/** A requirement to seal: since when, and by whose word. */
export type Requirement = { readonly createdAt: Date; readonly createdBy: string };

/** A secret that must be sealed by a setting of its own. */
export type SealedSecret = Requirement & {
  readonly secretId: string;
  readonly projectId: string;
};

/** The vault of a setting, the user who makes it, and when. */
export type Setting = { readonly vaultId: string; readonly createdBy: string; readonly at: Date };

type Row = { created_at: Date; created_by: string };
type SecretRow = Row & { secret_id: string; project_id: string };

/** Requires sealing of the whole vault, or no longer; false when that is how it was. */
export async function setVaultSealing(
  tx: Tx,
  { vaultId, createdBy, at }: Setting,
  required: boolean,
): Promise<boolean> {
  const changed = required
    ? await tx.query(
        `insert into sealed_vaults (vault_id, created_by, created_at) values ($1, $2, $3)
         on conflict (vault_id) do nothing returning vault_id`,
        [vaultId, createdBy, at],
      )
    : await tx.query("delete from sealed_vaults where vault_id = $1 returning vault_id", [vaultId]);
  return changed.length > 0;
}

/** The requirement of the vault; undefined when there is none. */
export async function findVaultSealing(db: Tx, vaultId: string): Promise<Requirement | undefined> {
  const rows = await db.query<Row>(
    "select created_at, created_by from sealed_vaults where vault_id = $1",
    [vaultId],
  );
  return rows.map(requirementOf)[0];
}

/** Requires sealing of a secret in its project, or no longer; false when that is how it was. */
export async function setSecretSealing(
  tx: Tx,
  { vaultId, createdBy, at }: Setting,
  { secretId, projectId }: { readonly secretId: string; readonly projectId: string },
  required: boolean,
): Promise<boolean> {
  const changed = required
    ? await tx.query(
        `insert into sealed_secrets (secret_id, project_id, vault_id, created_by, created_at)
         values ($1, $2, $3, $4, $5) on conflict (secret_id) do nothing returning secret_id`,
        [secretId, projectId, vaultId, createdBy, at],
      )
    : await tx.query(
        "delete from sealed_secrets where secret_id = $1 and vault_id = $2 returning secret_id",
        [secretId, vaultId],
      );
  return changed.length > 0;
}

/**
 * Secrets that must be sealed by a setting of their own, of those that are shown and, unless
 * projectId is empty, of one project, in the order of secret ids, after one of them.
 */
export async function listSealedSecrets(
  db: Tx,
  vaultId: string,
  projectId: string,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<SealedSecret[]> {
  const rows = await db.query<SecretRow>(
    `select e.secret_id, e.project_id, e.created_at, e.created_by
       from sealed_secrets e join live_secrets s on s.secret_id = e.secret_id
      where e.vault_id = $1 and e.secret_id > $2 and ($3 = '' or e.project_id = $3)
      order by e.secret_id limit $4`,
    [vaultId, after, projectId, limit],
  );
  return rows.map((row) => ({
    secretId: row.secret_id,
    projectId: row.project_id,
    ...requirementOf(row),
  }));
}

function requirementOf({ created_at, created_by }: Row): Requirement {
  return { createdAt: created_at, createdBy: created_by };
}
