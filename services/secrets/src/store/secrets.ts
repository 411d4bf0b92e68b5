import type { Tx } from "@sallyport/postgres";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** A secret as it is stored, with the layout of its current version. */
export type StoredSecret = {
  readonly secretId: string;
  readonly projectId: string;
  readonly name: string;
  readonly currentVersion: number;
  readonly kind: ValueKind;
  readonly fieldNames: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly updatedAt: Date;
};

/** A secret to store, at version 1. */
export type NewSecret = Pick<StoredSecret, "secretId" | "projectId" | "name" | "createdBy" | "createdAt"> & {
  readonly vaultId: string;
};

/** How a secret is named: by its id, or by project and name. */
export type SecretKeyword =
  | { readonly secretId: string }
  | { readonly projectId: string; readonly name: string };

type Row = {
  secret_id: string;
  project_id: string;
  name: string;
  current_version: number;
  kind: ValueKind;
  field_names: string[];
  created_at: Date;
  created_by: string;
  updated_at: Date;
};

const selection = `
  select s.secret_id, s.project_id, s.name, s.current_version, v.kind, v.field_names,
         s.created_at, s.created_by, s.updated_at
    from secrets s join versions v on v.secret_id = s.secret_id and v.version = s.current_version`;

/** Stores a secret whose version 1 follows in the same transaction. Throws unique violations of secrets_id, secrets_name. */
export async function addSecret(tx: Tx, secret: NewSecret): Promise<void> {
  const { secretId, projectId, vaultId, name, createdBy, createdAt } = secret;
  await tx.query(
    `insert into secrets (secret_id, project_id, vault_id, name, current_version, created_by, created_at, updated_at)
     values ($1, $2, $3, $4, 1, $5, $6, $6)`,
    [secretId, projectId, vaultId, name, createdBy, createdAt],
  );
}

/** Moves a secret from the expected version to the next; false when another version is current. */
export async function advanceVersion(
  tx: Tx,
  secret: { readonly vaultId: string; readonly secretId: string; readonly expectedVersion: number },
  at: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `update secrets set current_version = current_version + 1, updated_at = $4
      where secret_id = $1 and vault_id = $2 and current_version = $3 returning secret_id`,
    [secret.secretId, secret.vaultId, secret.expectedVersion, at],
  );
  return rows.length > 0;
}

/** Finds a secret of the vault. */
export async function findSecret(
  db: Tx,
  vaultId: string,
  keyword: SecretKeyword,
): Promise<StoredSecret | undefined> {
  const rows =
    "secretId" in keyword
      ? await db.query<Row>(`${selection} where s.vault_id = $1 and s.secret_id = $2`, [
          vaultId,
          keyword.secretId,
        ])
      : await db.query<Row>(`${selection} where s.vault_id = $1 and s.project_id = $2 and s.name = $3`, [
          vaultId,
          keyword.projectId,
          keyword.name,
        ]);
  return rows.map(secretOf)[0];
}

/** Secrets of a project by name, after one of them. */
export async function listSecrets(
  db: Tx,
  vaultId: string,
  projectId: string,
  page: { readonly after: string; readonly limit: number },
): Promise<StoredSecret[]> {
  const rows = await db.query<Row>(
    `${selection} where s.vault_id = $1 and s.project_id = $2 and s.name > $3 order by s.name limit $4`,
    [vaultId, projectId, page.after, page.limit],
  );
  return rows.map(secretOf);
}

function secretOf(row: Row): StoredSecret {
  return {
    secretId: row.secret_id,
    projectId: row.project_id,
    name: row.name,
    currentVersion: row.current_version,
    kind: row.kind,
    fieldNames: row.field_names,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
  };
}
