import type { Tx } from "@sallyport/postgres";
import type { Standing } from "../standing.ts";

/** A machine as policy first hears of it. */
export type NewPrincipal = {
  readonly machineId: string;
  readonly vaultId: string;
  readonly expiresAt: Date;
  readonly tokenId: string;
  readonly createdBy: string;
};

/**
 * Makes an active principal. "known" means that the same token made it before, in this vault, and
 * nothing was done; "taken" that the id belongs to another vault or token.
 */
export async function addPrincipal(
  tx: Tx,
  principal: NewPrincipal,
): Promise<"added" | "known" | "taken"> {
  const { machineId, vaultId, expiresAt, tokenId, createdBy } = principal;
  // Whichever index meets it: of two at once, one named here would leave the other to raise a
  // unique violation.
  const added = await tx.query(
    `insert into principals (machine_id, vault_id, status, expires_at, token_id, created_by)
     values ($1, $2, 'active', $3, $4, $5)
     on conflict do nothing
     returning machine_id`,
    [machineId, vaultId, expiresAt, tokenId, createdBy],
  );
  if (added.length > 0) return "added";
  const known = await tx.query(
    "select machine_id from principals where machine_id = $1 and vault_id = $2 and token_id = $3",
    [machineId, vaultId, tokenId],
  );
  return known.length > 0 ? "known" : "taken";
}

/** Returns whether the vault has or had the machine. */
export async function isPrincipal(tx: Tx, vaultId: string, machineId: string): Promise<boolean> {
  const rows = await tx.query(
    "select machine_id from principals where machine_id = $1 and vault_id = $2",
    [machineId, vaultId],
  );
  return rows.length > 0;
}

/** Sets the standing of machines that this transaction has locked. */
export async function setStanding(
  tx: Tx,
  vaultId: string,
  machineIds: readonly string[],
  standing: Standing,
): Promise<void> {
  await tx.query(
    "update principals set status = $3 where vault_id = $1 and machine_id = any($2::text[])",
    [vaultId, machineIds, standing],
  );
}
