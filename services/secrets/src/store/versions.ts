import type { Tx } from "@sallyport/postgres";
import type { ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";

/** A version without its envelope. */
export type StoredVersion = {
  readonly version: number;
  readonly kind: ValueKind;
  readonly fieldNames: readonly string[];
  readonly createdAt: Date;
  readonly createdBy: string;
  /** The version whose value it brought back; 0 when it was stored as a new value. */
  readonly rollbackOf: number;
};

/** A version with what crypto needs to open it. */
export type SealedVersion = StoredVersion & {
  readonly envelope: Uint8Array;
  readonly wrappedProjectKey: Uint8Array;
};

/**
 * A version to store: the envelope as crypto made it, and the project key under which it was
 * sealed.
 */
export type NewVersion = StoredVersion & {
  readonly secretId: string;
  readonly projectId: string;
  readonly keyGeneration: number;
  readonly envelope: Uint8Array;
};

type Row = {
  version: number;
  kind: ValueKind;
  field_names: string[];
  created_at: Date;
  created_by: string;
  rollback_of: number;
};

const columns = `v.version, v.kind, v.field_names, v.created_at, v.created_by,
         coalesce(v.rollback_of, 0) as rollback_of`;

/** Stores a version; one that is stored is never changed again. */
export async function addVersion(tx: Tx, version: NewVersion): Promise<void> {
  await tx.query(
    `insert into versions
       (secret_id, version, project_id, key_generation, envelope, kind, field_names, created_by,
        created_at, rollback_of)
     values ($1, $2, $3, $4, $5, $6, $7::text[], $8, $9, nullif($10, 0))`,
    [
      version.secretId,
      version.version,
      version.projectId,
      version.keyGeneration,
      version.envelope,
      version.kind,
      version.fieldNames,
      version.createdBy,
      version.createdAt,
      version.rollbackOf,
    ],
  );
}

/** Versions of a secret, newest first, below one of them. */
export async function listVersions(
  db: Tx,
  vaultId: string,
  secretId: string,
  page: { readonly below: number; readonly limit: number },
): Promise<StoredVersion[]> {
  const rows = await db.query<Row>(
    `select ${columns}
       from secrets s join versions v on v.secret_id = s.secret_id
      where s.vault_id = $1 and s.secret_id = $2 and v.version < $3::bigint
      order by v.version desc limit $4`,
    [vaultId, secretId, page.below, page.limit],
  );
  return rows.map(versionOf);
}

/**
 * Finds one version of a secret of the vault, with its envelope and the key that it was sealed
 * under.
 */
export async function findVersion(
  db: Tx,
  vaultId: string,
  secretId: string,
  version: number,
): Promise<SealedVersion | undefined> {
  const rows = await db.query<Row & { envelope: Buffer; wrapped_key: Buffer }>(
    `select ${columns}, v.envelope, k.wrapped_key
       from secrets s join versions v on v.secret_id = s.secret_id
       join project_keys k on k.project_id = v.project_id and k.generation = v.key_generation
      where s.vault_id = $1 and s.secret_id = $2 and v.version = $3::bigint`,
    [vaultId, secretId, version],
  );
  return rows.map((row) => ({
    ...versionOf(row),
    envelope: row.envelope,
    wrappedProjectKey: row.wrapped_key,
  }))[0];
}

function versionOf(row: Row): StoredVersion {
  return {
    version: row.version,
    kind: row.kind,
    fieldNames: row.field_names,
    createdAt: row.created_at,
    createdBy: row.created_by,
    rollbackOf: row.rollback_of,
  };
}
