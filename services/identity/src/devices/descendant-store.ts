import type { Tx } from "@sallyport/postgres";
import type { User } from "../users/store.ts";

/** A device, named by a key of it, with its first key. */
export type Device = { readonly keyId: string; readonly firstKeyId: string };

/** The users, devices, tokens, codes and machines that came of a device and still live. */
export type Descendants = {
  /** Users admitted by its codes, or by those of such a user, and so on. */
  readonly users: User[];
  /** Further devices of its own user, admitted by its codes or by those of such a device. */
  readonly devices: Device[];
  /** Enrollment tokens made by any of them that could still enroll. */
  readonly tokenIds: string[];
  /** The number of codes made by any of them that could still be redeemed. */
  readonly codes: number;
  /**
   * The number of living machines that came of tokens made by any of them, whether or not those
   * tokens live.
   */
  readonly machines: number;
};

// A code names the key that made it and the key that it admitted. A device is all of its keys, so
// that renewing one does not end its history; a user who was admitted is all of the devices that
// the user has.
const line = `with recursive line (device_id, user_id, brought) as (
    select $2::text collate "C", null::text collate "C", false
    union
    select coalesce(d.first_key_id, d.key_id), d.user_id, c.user_id is null
      from line
      join user_keys maker on coalesce(maker.first_key_id, maker.key_id) = line.device_id
      join login_codes c on c.created_by_key = maker.key_id and c.vault_id = $1
      join user_keys guest on guest.key_id = c.redeemed_by
      join user_keys d on d.user_id = guest.user_id
        and (c.user_id is null or d.key_id = guest.key_id)),
  makers as (
    select k.key_id from user_keys k
      join line on coalesce(k.first_key_id, k.key_id) = line.device_id)`;

type DeviceRow = { key_id: string; first_key_id: string };
type UserRow = { user_id: string; name: string; role: User["role"]; created_at: Date };
type CountRow = { codes: number; machines: number };

/**
 * Finds what came of a device of the vault, at most `limit` of each kind: users, devices, tokens.
 * Under the lock on the vault's people, users and devices do not change; tokens only stop being
 * made once the keys have ended.
 */
export async function findDescendants(
  tx: Tx,
  vaultId: string,
  firstKeyId: string,
  now: Date,
  limit: number,
): Promise<Descendants> {
  const users = await tx.query<UserRow>(
    `${line} select user_id, name, role, created_at from users
      where vault_id = $1 and removed_at is null
        and user_id in (select user_id from line where brought)
      order by created_at, user_id limit $3`,
    [vaultId, firstKeyId, limit],
  );
  const devices = await tx.query<DeviceRow>(
    `${line} select distinct on (coalesce(k.first_key_id, k.key_id)) k.key_id,
        coalesce(k.first_key_id, k.key_id) as first_key_id
       from user_keys k join users u using (user_id)
      where coalesce(k.first_key_id, k.key_id) in (select device_id from line where not brought)
        and coalesce(k.first_key_id, k.key_id) <> $2
        and u.vault_id = $1 and u.removed_at is null and k.revoked_at is null and k.expires_at > $3
        and k.user_id not in (select user_id from line where brought)
      order by coalesce(k.first_key_id, k.key_id), k.created_at desc limit $4`,
    [vaultId, firstKeyId, now, limit],
  );
  return {
    users: users.map((row) => userOf(row, vaultId)),
    devices: devices.map((row) => ({ keyId: row.key_id, firstKeyId: row.first_key_id })),
    tokenIds: await findTokensOf(tx, vaultId, firstKeyId, now, limit),
    ...(await countOf(tx, vaultId, firstKeyId, now)),
  };
}

/** The users who came of a device and were removed, at most `limit`, those removed last first. */
export async function findRemovedOf(
  tx: Tx,
  vaultId: string,
  firstKeyId: string,
  limit: number,
): Promise<string[]> {
  const rows = await tx.query<{ user_id: string }>(
    `${line} select user_id from users
      where vault_id = $1 and removed_at is not null
        and user_id in (select user_id from line where brought)
      order by removed_at desc, user_id limit $3`,
    [vaultId, firstKeyId, limit],
  );
  return rows.map((row) => row.user_id);
}

/** The enrollment tokens made by a device or by what came of it that could still enroll. */
export async function findTokensOf(
  tx: Tx,
  vaultId: string,
  firstKeyId: string,
  now: Date,
  limit: number,
): Promise<string[]> {
  const rows = await tx.query<{ token_id: string }>(
    `${line} select token_id from enrollment_tokens
      where vault_id = $1 and created_by_key in (select key_id from makers)
        and revoked_at is null and expires_at > $3
      order by created_at, token_id limit $4`,
    [vaultId, firstKeyId, now, limit],
  );
  return rows.map((row) => row.token_id);
}

async function countOf(tx: Tx, vaultId: string, firstKeyId: string, now: Date): Promise<CountRow> {
  const [row] = await tx.query<CountRow>(
    `${line} select
       (select count(*)::int from login_codes
         where vault_id = $1 and created_by_key in (select key_id from makers)
           and redeemed_by is null and revoked_at is null and expires_at > $3) as codes,
       (select count(*)::int from machines m join enrollment_tokens t using (token_id)
         where t.vault_id = $1 and t.created_by_key in (select key_id from makers)
           and m.state in ('provisioning', 'active', 'disabled')
           and m.expires_at > $3) as machines`,
    [vaultId, firstKeyId, now],
  );
  return row ?? { codes: 0, machines: 0 };
}

function userOf({ user_id, name, role, created_at }: UserRow, vaultId: string): User {
  return { userId: user_id, vaultId, name, role, createdAt: created_at, removedAt: null };
}
