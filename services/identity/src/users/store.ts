import type { Tx } from "@sallyport/postgres";
import type { StoredRole } from "./roles.ts";

/** A person of a vault. */
export type User = {
  readonly userId: string;
  readonly vaultId: string;
  readonly name: string;
  readonly role: StoredRole;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
};

/** The fields of a new user. */
export type NewUser = Omit<User, "removedAt">;

type UserRow = {
  user_id: string;
  vault_id: string;
  name: string;
  role: StoredRole;
  created_at: Date;
  removed_at: Date | null;
};

const columns = "user_id, vault_id, name, role, created_at, removed_at";

/**
 * Adds a user. Violates users_living_name when another one of the vault has the name, in any case.
 */
export async function insertUser(tx: Tx, user: NewUser): Promise<void> {
  await tx.query(
    "insert into users (user_id, vault_id, name, role, created_at) values ($1, $2, $3, $4, $5)",
    [user.userId, user.vaultId, user.name, user.role, user.createdAt],
  );
}

/** The vault's user of that id, removed or not. */
export async function findUser(db: Tx, vaultId: string, userId: string): Promise<User | undefined> {
  const rows = await db.query<UserRow>(
    `select ${columns} from users where vault_id = $1 and user_id = $2`,
    [vaultId, userId],
  );
  return rows.map(userOf)[0];
}

/**
 * A page of the vault's users who were not removed, newest first; `after` is the last id of the
 * page before, or empty.
 */
export async function listUsers(
  db: Tx,
  vaultId: string,
  after: string,
  limit: number,
): Promise<User[]> {
  const rows = await db.query<UserRow>(
    `select ${columns} from users
      where vault_id = $1 and removed_at is null
        and ($2 = '' or (created_at, user_id) <
              (select created_at, user_id from users where vault_id = $1 and user_id = $2))
      order by created_at desc, user_id desc
      limit $3`,
    [vaultId, after, limit],
  );
  return rows.map(userOf);
}

/** Tells whether the vault has a user, removed or not. */
export async function hasUsers(db: Tx, vaultId: string): Promise<boolean> {
  const rows = await db.query("select 1 from users where vault_id = $1 limit 1", [vaultId]);
  return rows.length > 0;
}

/** Tells whether a user of the vault has the name, in any case. */
export async function isUserNameTaken(db: Tx, vaultId: string, name: string): Promise<boolean> {
  const rows = await db.query(
    "select 1 from users where vault_id = $1 and lower(name) = lower($2) and removed_at is null",
    [vaultId, name],
  );
  return rows.length > 0;
}

/** Removes a user; the keys stop with it. */
export async function markRemoved(tx: Tx, { userId }: User, now: Date): Promise<void> {
  await tx.query("update users set removed_at = $2 where user_id = $1 and removed_at is null", [
    userId,
    now,
  ]);
}

/**
 * Returns whether an owner of the vault has a device key that stays valid: one that was renewed
 * ends within minutes and does not count.
 */
export async function hasActingOwner(tx: Tx, vaultId: string, now: Date): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from users join user_keys k using (user_id)
      where vault_id = $1 and role = 'owner' and removed_at is null
        and k.revoked_at is null and k.renewed_at is null and k.expires_at > $2
      limit 1`,
    [vaultId, now],
  );
  return rows.length > 0;
}

/**
 * Tells whether a user and the device key are what they were, neither removed nor revoked; until
 * the transaction ends neither can be.
 */
export async function holdUser(
  tx: Tx,
  vaultId: string,
  userId: string,
  keyId: string,
): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from users u join user_keys k using (user_id)
      where u.vault_id = $1 and user_id = $2 and k.key_id = $3
        and u.removed_at is null and k.revoked_at is null
      for share of u, k`,
    [vaultId, userId, keyId],
  );
  return rows.length > 0;
}

function userOf(row: UserRow): User {
  return {
    userId: row.user_id,
    vaultId: row.vault_id,
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    removedAt: row.removed_at,
  };
}
