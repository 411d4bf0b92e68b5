import type { Tx } from "@sallyport/postgres";
import type { StoredRole } from "../users/roles.ts";

/** A login code as stored: everything but its secret half, which no server knows. */
export type LoginCode = {
  readonly codeId: string;
  readonly vaultId: string;
  /** SHA-256 of the code's public key, 32 bytes. */
  readonly keySha256: Uint8Array;
  readonly role: StoredRole;
  /** The user for whose further device it is; null in a code for a new user. */
  readonly userId: string | null;
  /** The user who made it; null when it came with its vault. */
  readonly createdBy: string | null;
  readonly createdByName: string | null;
  /** The device key by which it was made; null when it came with its vault. */
  readonly createdByKey: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  /** The keyid that it admitted; null before. */
  readonly redeemedBy: string | null;
  readonly redeemedAt: Date | null;
};

/** The fields of a new login code. */
export type NewLoginCode = Omit<
  LoginCode,
  "createdByName" | "revokedAt" | "redeemedBy" | "redeemedAt"
>;

type LoginCodeRow = {
  code_id: string;
  vault_id: string;
  key_sha256: Buffer;
  role: StoredRole;
  user_id: string | null;
  created_by: string | null;
  created_by_name: string | null;
  created_by_key: string | null;
  created_at: Date;
  expires_at: Date;
  revoked_at: Date | null;
  redeemed_by: string | null;
  redeemed_at: Date | null;
};

const columns = `code_id, vault_id, key_sha256, role, user_id, created_by, created_by_key,
  created_at, expires_at, revoked_at, redeemed_by,
  redeemed_at, (select name from users where users.user_id = created_by) as created_by_name`;

/** Adds a login code. Violates login_codes_key when its key belongs to another. */
export async function insertLoginCode(tx: Tx, code: NewLoginCode): Promise<LoginCode> {
  const rows = await tx.query<LoginCodeRow>(
    `insert into login_codes (code_id, vault_id, key_sha256, role, user_id, created_by, created_at,
       expires_at,
       created_by_key)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     returning ${columns}`,
    [
      code.codeId,
      code.vaultId,
      code.keySha256,
      code.role,
      code.userId,
      code.createdBy,
      code.createdAt,
      code.expiresAt,
      code.createdByKey,
    ],
  );
  const [stored] = rows.map(loginCodeOf);
  if (!stored) throw new Error("the statement returned no row");
  return stored;
}

/** The vault's login code of that id. */
export async function findLoginCode(
  db: Tx,
  vaultId: string,
  codeId: string,
): Promise<LoginCode | undefined> {
  const rows = await db.query<LoginCodeRow>(
    `select ${columns} from login_codes where vault_id = $1 and code_id = $2`,
    [vaultId, codeId],
  );
  return rows.map(loginCodeOf)[0];
}

/** The same, locked: no other transaction redeems or revokes the code until this one ends. */
export async function lockLoginCode(
  tx: Tx,
  vaultId: string,
  codeId: string,
): Promise<LoginCode | undefined> {
  const rows = await tx.query<LoginCodeRow>(
    `select ${columns} from login_codes where vault_id = $1 and code_id = $2 for update`,
    [vaultId, codeId],
  );
  return rows.map(loginCodeOf)[0];
}

/**
 * A page of the vault's login codes, newest first; `after` is the last id of the page before, or
 * empty.
 */
export async function listLoginCodes(
  db: Tx,
  vaultId: string,
  after: string,
  limit: number,
): Promise<LoginCode[]> {
  const rows = await db.query<LoginCodeRow>(
    `select ${columns} from login_codes
      where vault_id = $1
        and ($2 = '' or (created_at, code_id) <
              (select created_at, code_id from login_codes where vault_id = $1 and code_id = $2))
      order by created_at desc, code_id desc
      limit $3`,
    [vaultId, after, limit],
  );
  return rows.map(loginCodeOf);
}

/** Every login code of the vault, newest first. */
export async function allLoginCodes(db: Tx, vaultId: string): Promise<LoginCode[]> {
  const rows = await db.query<LoginCodeRow>(
    `select ${columns} from login_codes where vault_id = $1 order by created_at desc, code_id desc`,
    [vaultId],
  );
  return rows.map(loginCodeOf);
}

/**
 * Marks a code as redeemed by a keyid; false when it was redeemed, expired or revoked, regardless
 * of what was read before.
 */
export async function redeemLoginCode(
  tx: Tx,
  codeId: string,
  keyId: string,
  now: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `update login_codes set redeemed_by = $2, redeemed_at = $3
      where code_id = $1 and redeemed_by is null and revoked_at is null and expires_at > $3
      returning code_id`,
    [codeId, keyId, now],
  );
  return rows.length === 1;
}

/** Gives an unredeemed code a new end. */
export async function extendLoginCode(tx: Tx, codeId: string, expiresAt: Date): Promise<void> {
  await tx.query(
    "update login_codes set expires_at = $2 where code_id = $1 and redeemed_by is null",
    [codeId, expiresAt],
  );
}

/** Revokes the vault's unredeemed codes. */
export async function revokeLoginCodes(tx: Tx, vaultId: string, now: Date): Promise<void> {
  await tx.query(
    "update login_codes set revoked_at = $2 where vault_id = $1 and redeemed_by is null and " +
      "revoked_at is null",
    [vaultId, now],
  );
}

/**
 * Revokes an unredeemed code that was not revoked; returns it as it is then, or undefined when
 * there was nothing to do.
 */
export async function revokeLoginCode(
  tx: Tx,
  vaultId: string,
  codeId: string,
  now: Date,
): Promise<LoginCode | undefined> {
  const rows = await tx.query<LoginCodeRow>(
    `update login_codes set revoked_at = $3
      where vault_id = $1 and code_id = $2 and redeemed_by is null and revoked_at is null
      returning ${columns}`,
    [vaultId, codeId, now],
  );
  return rows.map(loginCodeOf)[0];
}

/**
 * Revokes the codes that a user made, or that would add a device to the user, as far as they could
 * still be redeemed.
 */
export async function revokeCodesOf(
  tx: Tx,
  vaultId: string,
  userId: string,
  now: Date,
): Promise<LoginCode[]> {
  const rows = await tx.query<LoginCodeRow>(
    `update login_codes set revoked_at = $3
      where vault_id = $1 and (created_by = $2 or user_id = $2)
        and redeemed_by is null and revoked_at is null and expires_at > $3
      returning ${columns}`,
    [vaultId, userId, now],
  );
  return rows.map(loginCodeOf);
}

function loginCodeOf(row: LoginCodeRow): LoginCode {
  return {
    codeId: row.code_id,
    vaultId: row.vault_id,
    keySha256: row.key_sha256,
    role: row.role,
    userId: row.user_id,
    createdBy: row.created_by,
    createdByName: row.created_by_name,
    createdByKey: row.created_by_key,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    redeemedBy: row.redeemed_by,
    redeemedAt: row.redeemed_at,
  };
}
