import type { Tx } from "@sallyport/postgres";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { Cursor } from "../page-cursor.ts";
import {
  type Deletion,
  type DeletionRow,
  type Scope,
  deletionColumns,
  deletionOf,
  inScope,
} from "./deletion.ts";

/** A secret as it is stored, with the layout of its current version. */
export type StoredSecret = {
  readonly secretId: string;
  readonly projectId: string;
  readonly name: string;
  readonly note: string;
  readonly currentVersion: number;
  readonly kind: ValueKind;
  readonly fieldNames: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly updatedAt: Date;
  readonly updatedBy: string;
  /** The version whose value the current one brought back; 0 when it was stored as a new value. */
  readonly rollbackOf: number;
  readonly deletion: Deletion | undefined;
};

/** A secret to store, at version 1. */
export type NewSecret = Pick<
  StoredSecret,
  "secretId" | "projectId" | "name" | "note" | "createdBy" | "createdAt"
> & {
  readonly vaultId: string;
};

/** The key of a secret: its id, or by project and name, which only the living are. */
export type SecretKeyword =
  | { readonly secretId: string }
  | { readonly projectId: string; readonly name: string };

type Row = DeletionRow & {
  secret_id: string;
  project_id: string;
  name: string;
  note: string;
  current_version: number;
  kind: ValueKind;
  field_names: string[];
  created_at: Date;
  created_by: string;
  updated_at: Date;
  updated_by: string;
  rollback_of: number;
};

const selection = `
  select s.secret_id, s.project_id, s.name, s.note, s.current_version, v.kind, v.field_names,
         s.created_at, s.created_by, s.updated_at, v.created_by as updated_by,
         coalesce(v.rollback_of, 0) as rollback_of, ${deletionColumns("s")}
    from secrets s join versions v on v.secret_id = s.secret_id and v.version = s.current_version`;

/**
 * Stores a secret whose version 1 follows in the same transaction. Throws unique violations of
 * secrets_id, secrets_name.
 */
export async function addSecret(tx: Tx, secret: NewSecret): Promise<void> {
  const { secretId, projectId, vaultId, name, note, createdBy, createdAt } = secret;
  await tx.query(
    `insert into secrets
       (secret_id, project_id, vault_id, name, note, current_version, created_by, created_at,
        updated_at)
     values ($1, $2, $3, $4, $5, 1, $6, $7, $7)`,
    [secretId, projectId, vaultId, name, note, createdBy, createdAt],
  );
}

/**
 * Moves a living secret from the expected version to the next; false when another version is
 * current.
 */
export async function advanceVersion(
  tx: Tx,
  secret: { readonly vaultId: string; readonly secretId: string; readonly expectedVersion: number },
  at: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `update secrets set current_version = current_version + 1, updated_at = $4
      where secret_id = $1 and vault_id = $2 and current_version = $3 and deleted_at is null
     returning secret_id`,
    [secret.secretId, secret.vaultId, secret.expectedVersion, at],
  );
  return rows.length > 0;
}

/**
 * Replaces the note of a living secret; false when it has that note already, or when there is no
 * such secret.
 */
export async function changeNote(
  tx: Tx,
  vaultId: string,
  { secretId, note }: Pick<StoredSecret, "secretId" | "note">,
): Promise<boolean> {
  const rows = await tx.query(
    `update secrets set note = $3
      where secret_id = $1 and vault_id = $2 and deleted_at is null and note <> $3
     returning secret_id`,
    [secretId, vaultId, note],
  );
  return rows.length > 0;
}

/** Finds a secret of the vault. */
export async function findSecret(
  db: Tx,
  vaultId: string,
  keyword: SecretKeyword,
  scope: Scope = "living",
): Promise<StoredSecret | undefined> {
  if ("secretId" in keyword) return (await findSecrets(db, vaultId, [keyword.secretId], scope))[0];
  const rows = await db.query<Row>(
    `${selection} where s.vault_id = $1 and s.project_id = $2 and s.name = $3 and s.deleted_at ` +
      "is null",
    [vaultId, keyword.projectId, keyword.name],
  );
  return rows.map(secretOf)[0];
}

/** Finds those of the secrets that the vault has, in the order of ids. */
export async function findSecrets(
  db: Tx,
  vaultId: string,
  secretIds: readonly string[],
  scope: Scope,
): Promise<StoredSecret[]> {
  const rows = await db.query<Row>(
    `${selection} where s.vault_id = $1 and s.secret_id = any($2::text[]) and ${inScope("s", "$3")}
      order by s.secret_id`,
    [vaultId, secretIds, scope === "restorable"],
  );
  return rows.map(secretOf);
}

/** Secrets of a project by name, after one of them. */
export async function listSecrets(
  db: Tx,
  vaultId: string,
  projectId: string,
  page: { readonly after: Cursor; readonly limit: number; readonly scope: Scope },
): Promise<StoredSecret[]> {
  const rows = await db.query<Row>(
    `${selection}
      where s.vault_id = $1 and s.project_id = $2 and (s.name, s.secret_id) > ($3, $4)
        and ${inScope("s", "$5")}
      order by s.name, s.secret_id limit $6`,
    [vaultId, projectId, page.after.name, page.after.id, page.scope === "restorable", page.limit],
  );
  return rows.map(secretOf);
}

function secretOf(row: Row): StoredSecret {
  return {
    secretId: row.secret_id,
    projectId: row.project_id,
    name: row.name,
    note: row.note,
    currentVersion: row.current_version,
    kind: row.kind,
    fieldNames: row.field_names,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
    updatedBy: row.updated_by,
    rollbackOf: row.rollback_of,
    deletion: deletionOf(row),
  };
}
