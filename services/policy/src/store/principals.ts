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

/** Whether the vault has or had the machine. */
export async function isPrincipal(tx: Tx, vaultId: string, machineId: string): Promise<boolean> {
  const rows = await tx.query("select machine_id from principals where machine_id = $1 and vault_id = $2", [
    machineId,
    vaultId,
  ]);
  return rows.length > 0;
}

/**
 * Locks those of the machines that the vault has until the transaction ends, and returns their standing. Every change of
 * a machine's standing, memberships and grants begins here, so that no two of them cross; the order of ids keeps two
 * that lock several from waiting for each other.
 */
export async function lockMachines(
  tx: Tx,
  vaultId: string,
  machineIds: readonly string[],
): Promise<Map<string, Standing>> {
  const rows = await tx.query<{ machine_id: string; status: Standing }>(
    `select machine_id, status from principals where vault_id = $1 and machine_id = any($2::text[])
      order by machine_id for no key update`,
    [vaultId, machineIds],
  );
  return new Map(rows.map(({ machine_id, status }) => [machine_id, status]));
}

/** Sets the standing of machines that this transaction has locked. */
export async function setStanding(
  tx: Tx,
  vaultId: string,
  machineIds: readonly string[],
  standing: Standing,
): Promise<void> {
  await tx.query("update principals set status = $3 where vault_id = $1 and machine_id = any($2::text[])", [
    vaultId,
    machineIds,
    standing,
  ]);
}
