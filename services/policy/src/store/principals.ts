import type { Tx } from "@sallyport/postgres";
import type { Principal } from "../evaluate.ts";

/** A machine as policy first hears of it. */
export type NewPrincipal = {
  readonly machineId: string;
  readonly vaultId: string;
  readonly expiresAt: Date;
  readonly tokenId: string;
  readonly createdBy: string;
};

/**
 * Makes an active principal. "known" means that the same token made it before, in this vault, and nothing was done;
 * "taken" that the id belongs to another vault or token.
 */
export async function addPrincipal(tx: Tx, principal: NewPrincipal): Promise<"added" | "known" | "taken"> {
  const { machineId, vaultId, expiresAt, tokenId, createdBy } = principal;
  const added = await tx.query(
    `insert into principals (machine_id, vault_id, status, expires_at, token_id, created_by)
     values ($1, $2, 'active', $3, $4, $5)
     on conflict (machine_id) do nothing
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

/** Whether the vault has the machine and did not revoke it. */
export async function isUsablePrincipal(tx: Tx, vaultId: string, machineId: string): Promise<boolean> {
  const rows = await tx.query(
    "select machine_id from principals where machine_id = $1 and vault_id = $2 and status <> 'revoked'",
    [machineId, vaultId],
  );
  return rows.length > 0;
}

/** Whether the vault has or had the machine. */
export async function isPrincipal(tx: Tx, vaultId: string, machineId: string): Promise<boolean> {
  const rows = await tx.query("select machine_id from principals where machine_id = $1 and vault_id = $2", [
    machineId,
    vaultId,
  ]);
  return rows.length > 0;
}

/** Sets a machine's status; false when the vault has no such machine, or it was revoked, which is for good. */
export async function setStatus(
  tx: Tx,
  vaultId: string,
  machineId: string,
  status: Principal["status"],
): Promise<boolean> {
  const rows = await tx.query(
    `update principals set status = $3
      where machine_id = $1 and vault_id = $2 and (status <> 'revoked' or $3 = 'revoked')
      returning machine_id`,
    [machineId, vaultId, status],
  );
  return rows.length > 0;
}
