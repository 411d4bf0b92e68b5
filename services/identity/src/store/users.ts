import type { Tx } from "@sallyport/postgres";
import type { StoredRole } from "./roles.ts";

/** A device key of a user, with what its credential says. */
export type UserKey = {
  readonly keyId: string;
  readonly userId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly role: StoredRole;
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly createdAt: Date;
  readonly expiresAt: Date;
};

type UserKeyRow = {
  key_id: string;
  user_id: string;
  vault_id: string;
  name: string;
  role: StoredRole;
  public_key: Buffer;
  created_at: Date;
  expires_at: Date;
};

const selectKeys = `select k.key_id, k.user_id, u.vault_id, u.name, u.role, k.public_key, k.created_at, k.expires_at
  from user_keys k join users u using (user_id)`;

/** Adds a user with a first device key; false, and nothing added, when the key belongs to someone already. */
export async function insertUser(tx: Tx, key: UserKey): Promise<boolean> {
  if (await findUserKeyByPublicKey(tx, key.publicKey)) return false;
  await tx.query(
    "insert into users (user_id, vault_id, name, role, created_at) values ($1, $2, $3, $4, $5)",
    [key.userId, key.vaultId, key.name, key.role, key.createdAt],
  );
  await tx.query(
    "insert into user_keys (key_id, user_id, public_key, created_at, expires_at) values ($1, $2, $3, $4, $5)",
    [key.keyId, key.userId, key.publicKey, key.createdAt, key.expiresAt],
  );
  return true;
}

/** Device keys of all vaults by keyid, for credentials. */
export async function findUserKeys(db: Tx, keyIds: readonly string[]): Promise<UserKey[]> {
  if (keyIds.length === 0) return [];
  const rows = await db.query<UserKeyRow>(`${selectKeys} where k.key_id = any($1::text[])`, [keyIds]);
  return rows.map(userKeyOf);
}

/** Tells whether the vault has a user. */
export async function hasUsers(db: Tx, vaultId: string): Promise<boolean> {
  const rows = await db.query("select 1 from users where vault_id = $1 limit 1", [vaultId]);
  return rows.length > 0;
}

async function findUserKeyByPublicKey(db: Tx, publicKey: Uint8Array): Promise<UserKey | undefined> {
  const rows = await db.query<UserKeyRow>(`${selectKeys} where k.public_key = $1`, [publicKey]);
  return rows.map(userKeyOf)[0];
}

function userKeyOf(row: UserKeyRow): UserKey {
  return {
    keyId: row.key_id,
    userId: row.user_id,
    vaultId: row.vault_id,
    name: row.name,
    role: row.role,
    publicKey: row.public_key,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
