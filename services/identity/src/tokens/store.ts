import type { Tx } from "@sallyport/postgres";

/** An enrollment token as stored: everything but its secret half, which no server knows. */
export type Token = {
  readonly tokenId: string;
  readonly vaultId: string;
  /** SHA-256 of the token's public key, 32 bytes. */
  readonly keySha256: Uint8Array;
  readonly description: string;
  readonly projectIds: string[];
  readonly secretIds: string[];
  readonly createdBy: string;
  /** The device key by which it was made; null when it was made before that was stored. */
  readonly createdByKey: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly machineLifetimeMs: number;
  readonly maxUses: number;
  /** Address ranges from which it enrolls; none is everywhere. */
  readonly sourceCidrs: string[];
  readonly hostnamePattern: string;
  readonly machineNamePattern: string;
  readonly anyVersion: boolean;
  /** The name of the user who made it. */
  readonly createdByName: string;
  readonly uses: number;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
  readonly revokeReason: string;
};

/** The fields of a new token. */
export type NewToken = Omit<
  Token,
  "uses" | "lastUsedAt" | "revokedAt" | "revokeReason" | "createdByName"
>;

type TokenRow = {
  token_id: string;
  vault_id: string;
  key_sha256: Buffer;
  description: string;
  project_ids: string[];
  secret_ids: string[];
  created_by: string;
  created_by_key: string | null;
  created_at: Date;
  expires_at: Date;
  machine_lifetime_ms: bigint;
  max_uses: number;
  source_cidrs: string[];
  hostname_pattern: string;
  machine_name_pattern: string;
  any_version: boolean;
  created_by_name: string;
  uses: number;
  last_used_at: Date | null;
  revoked_at: Date | null;
  revoke_reason: string;
};

const columns = `token_id, vault_id, key_sha256, description, project_ids, secret_ids, created_by,
  created_by_key,
  created_at, expires_at, machine_lifetime_ms, max_uses, source_cidrs, hostname_pattern,
  machine_name_pattern, any_version, uses, last_used_at, revoked_at, revoke_reason,
  (select name from users where user_id = created_by) as created_by_name`;

/** Adds a token. Violates enrollment_tokens_key when its key belongs to another. */
export async function insertToken(tx: Tx, token: NewToken): Promise<Token> {
  const rows = await tx.query<TokenRow>(
    `insert into enrollment_tokens (token_id, vault_id, key_sha256, description, project_ids,
       secret_ids, created_by, created_at, expires_at, machine_lifetime_ms, max_uses, source_cidrs,
       hostname_pattern, machine_name_pattern, any_version, created_by_key)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
     returning ${columns}`,
    [
      token.tokenId,
      token.vaultId,
      token.keySha256,
      token.description,
      token.projectIds,
      token.secretIds,
      token.createdBy,
      token.createdAt,
      token.expiresAt,
      token.machineLifetimeMs,
      token.maxUses,
      token.sourceCidrs,
      token.hostnamePattern,
      token.machineNamePattern,
      token.anyVersion,
      token.createdByKey,
    ],
  );
  return only(rows.map(tokenOf));
}

/** The vault's token of that id. */
export async function findToken(
  db: Tx,
  vaultId: string,
  tokenId: string,
): Promise<Token | undefined> {
  const rows = await db.query<TokenRow>(
    `select ${columns} from enrollment_tokens where vault_id = $1 and token_id = $2`,
    [vaultId, tokenId],
  );
  return rows.map(tokenOf)[0];
}

/**
 * A page of the vault's tokens, newest first, of those for nothing but these projects unless it is
 * undefined; `after` is the last id of the page before, or empty.
 */
export async function listTokens(
  db: Tx,
  vaultId: string,
  projectIds: readonly string[] | undefined,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<Token[]> {
  const rows = await db.query<TokenRow>(
    `select ${columns} from enrollment_tokens
      where vault_id = $1
        and ($2 = '' or (created_at, token_id) <
              (select created_at, token_id from enrollment_tokens
                where vault_id = $1 and token_id = $2))
        and ($4::text[] is null or project_ids <@ $4::text[])
      order by created_at desc, token_id desc
      limit $3`,
    [vaultId, after, limit, projectIds ?? null],
  );
  return rows.map(tokenOf);
}

/**
 * Revokes a token that was not revoked; returns it as it is then, or undefined when it already was
 * or is unknown.
 */
export async function revokeToken(
  tx: Tx,
  {
    vaultId,
    tokenId,
    reason,
  }: { readonly vaultId: string; readonly tokenId: string; readonly reason: string },
  now: Date,
): Promise<Token | undefined> {
  const rows = await tx.query<TokenRow>(
    `update enrollment_tokens set revoked_at = $3, revoke_reason = $4
      where vault_id = $1 and token_id = $2 and revoked_at is null
      returning ${columns}`,
    [vaultId, tokenId, now, reason],
  );
  return rows.map(tokenOf)[0];
}

/** Revokes the tokens of a user that could still enroll; returns their ids. */
export async function revokeTokensOf(
  tx: Tx,
  vaultId: string,
  createdBy: string,
  reason: string,
  now: Date,
): Promise<string[]> {
  const rows = await tx.query<Pick<TokenRow, "token_id">>(
    `update enrollment_tokens set revoked_at = $3, revoke_reason = $4
      where vault_id = $1 and created_by = $2 and revoked_at is null and expires_at > $3
      returning token_id`,
    [vaultId, createdBy, now, reason],
  );
  return rows.map(({ token_id }) => token_id);
}

function tokenOf(row: TokenRow): Token {
  return {
    tokenId: row.token_id,
    vaultId: row.vault_id,
    keySha256: row.key_sha256,
    description: row.description,
    projectIds: row.project_ids,
    secretIds: row.secret_ids,
    createdBy: row.created_by,
    createdByKey: row.created_by_key,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    machineLifetimeMs: Number(row.machine_lifetime_ms),
    maxUses: row.max_uses,
    sourceCidrs: row.source_cidrs,
    hostnamePattern: row.hostname_pattern,
    machineNamePattern: row.machine_name_pattern,
    anyVersion: row.any_version,
    createdByName: row.created_by_name,
    uses: row.uses,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    revokeReason: row.revoke_reason,
  };
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error("the statement returned no row");
  return row;
}
