import type { Tx } from "@sallyport/postgres";
import { type KeyLife, renewedKeyMs } from "./device-key.ts";
import type { StoredRole } from "../users/roles.ts";

/** A device key, with what is known of its user. */
export type UserKey = KeyLife & {
  readonly keyId: string;
  readonly userId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly role: StoredRole;
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The first key of the device, which may be this one. */
  readonly firstKeyId: string;
  readonly createdAt: Date;
};

/** The fields of a new device key; without a firstKeyId it is a device's first. */
export type NewUserKey = Pick<
  UserKey,
  "keyId" | "userId" | "publicKey" | "createdAt" | "expiresAt"
> & {
  readonly firstKeyId?: string;
};

type UserKeyRow = {
  key_id: string;
  user_id: string;
  vault_id: string;
  name: string;
  role: StoredRole;
  public_key: Buffer;
  first_key_id: string;
  created_at: Date;
  expires_at: Date;
  renewed_at: Date | null;
  revoked_at: Date | null;
};

// Whose user was removed, the key is revoked.
const selectKeys = `select k.key_id, k.user_id, u.vault_id, u.name, u.role, k.public_key,
    coalesce(k.first_key_id, k.key_id) as first_key_id, k.created_at, k.expires_at, k.renewed_at,
    coalesce(k.revoked_at, u.removed_at) as revoked_at
  from user_keys k join users u using (user_id)`;

/** Adds a device key. Violates user_keys_public_key when the key belongs to someone already. */
export async function insertUserKey(tx: Tx, key: NewUserKey): Promise<void> {
  await tx.query(
    `insert into user_keys (key_id, user_id, public_key, first_key_id, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [key.keyId, key.userId, key.publicKey, key.firstKeyId ?? null, key.createdAt, key.expiresAt],
  );
}

/** Device keys of all vaults by keyid, for credentials. */
export async function findUserKeys(db: Tx, keyIds: readonly string[]): Promise<UserKey[]> {
  if (keyIds.length === 0) return [];
  const rows = await db.query<UserKeyRow>(`${selectKeys} where k.key_id = any($1::text[])`, [
    keyIds,
  ]);
  return rows.map(userKeyOf);
}

/** The device key of that id, of whichever vault. */
export async function findUserKey(db: Tx, keyId: string): Promise<UserKey | undefined> {
  const [key] = await findUserKeys(db, [keyId]);
  return key;
}

/** The device key with that public key, of whichever vault. */
export async function findUserKeyByPublicKey(
  db: Tx,
  publicKey: Uint8Array,
): Promise<UserKey | undefined> {
  const rows = await db.query<UserKeyRow>(`${selectKeys} where k.public_key = $1`, [publicKey]);
  return rows.map(userKeyOf)[0];
}

/** The keys of users that work at that time, newest first, `limit` of each user at most. */
export async function findWorkingKeys(
  db: Tx,
  userIds: readonly string[],
  now: Date,
  limit: number,
): Promise<UserKey[]> {
  if (userIds.length === 0) return [];
  const renewedSince = new Date(now.getTime() - renewedKeyMs);
  const rows = await db.query<UserKeyRow>(
    `select * from (
       select keys.*,
           row_number() over (partition by user_id order by created_at desc, key_id desc) as rank
         from (${selectKeys} where k.user_id = any($1::text[])) as keys
        where revoked_at is null and expires_at > $2
           and (renewed_at is null or renewed_at > $3)) as working
      where rank <= $4
      order by created_at desc, key_id desc`,
    [userIds, now, renewedSince, limit],
  );
  return rows.map(userKeyOf);
}

/**
 * Says that a key was renewed, for the first time or again: its end stays that of the first time.
 */
export async function markRenewed(tx: Tx, keyId: string, now: Date): Promise<void> {
  await tx.query("update user_keys set renewed_at = $2 where key_id = $1 and renewed_at is null", [
    keyId,
    now,
  ]);
}

/** Revokes every key of a device but those named; returns how many were not revoked before. */
export async function revokeDeviceKeys(
  tx: Tx,
  firstKeyId: string,
  now: Date,
  except: readonly string[] = [],
): Promise<number> {
  const rows = await tx.query(
    `update user_keys set revoked_at = $2
      where (key_id = $1 or first_key_id = $1) and revoked_at is null and key_id <> all($3::text[])
      returning key_id`,
    [firstKeyId, now, except],
  );
  return rows.length;
}

/** Revokes every key of a user; returns how many were not revoked before. */
export async function revokeKeysOf(tx: Tx, userId: string, now: Date): Promise<number> {
  const rows = await tx.query(
    "update user_keys set revoked_at = $2 where user_id = $1 and revoked_at is null returning " +
      "key_id",
    [userId, now],
  );
  return rows.length;
}

function userKeyOf(row: UserKeyRow): UserKey {
  return {
    keyId: row.key_id,
    userId: row.user_id,
    vaultId: row.vault_id,
    name: row.name,
    role: row.role,
    publicKey: row.public_key,
    firstKeyId: row.first_key_id,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    renewedAt: row.renewed_at,
    revokedAt: row.revoked_at,
  };
}
