import type { Tx } from "@sallyport/postgres";
import {
  type Machine,
  type MachineRow,
  type StoredState,
  machineColumns,
  machineOf,
} from "./store.ts";

/** The machines of a vault to list; an empty field restricts nothing. */
export type MachineFilter = {
  readonly vaultId: string;
  readonly tokenId: string;
  readonly name: string;
  readonly states: readonly StoredState[];
  /** The time of the states: a machine that is over by time counts as expired. */
  readonly now: Date;
};

/**
 * A page of machines, newest first; `after` is the last id of the page before, or empty. A filter
 * that is not set is not in the statement, so that the index for the others is used.
 */
export async function listMachines(
  db: Tx,
  { vaultId, tokenId, name, states, now }: MachineFilter,
  after: string,
  limit: number,
): Promise<Machine[]> {
  const values: unknown[] = [vaultId, limit];
  const given = (value: unknown) => `$${values.push(value)}`;
  const conditions = ["vault_id = $1"];
  if (after !== "") conditions.push(`(created_at, machine_id) < (${cursorOf(given(after))})`);
  if (tokenId !== "") conditions.push(`token_id = ${given(tokenId)}`);
  if (name !== "") conditions.push(`name = ${given(name)}`);
  if (states.length > 0) conditions.push(`${stateAt(given(now))} = any(${given(states)}::text[])`);
  const rows = await db.query<MachineRow>(
    `select ${machineColumns} from machines
      where ${conditions.join(" and ")}
      order by created_at desc, machine_id desc
      limit $2`,
    values,
  );
  return rows.map(machineOf);
}

function cursorOf(machineId: string): string {
  const one = `vault_id = $1 and machine_id = ${machineId}`;
  return `select created_at, machine_id from machines where ${one}`;
}

function stateAt(now: string): string {
  return `case when state = 'revoked' or expires_at > ${now} then state else 'expired' end`;
}

/**
 * Vaults with machines whose lifetime is over and of which that is not stored yet, `limit` at most.
 */
export async function vaultsWithDue(db: Tx, now: Date, limit: number): Promise<string[]> {
  const rows = await db.query<{ vault_id: string }>(
    `select distinct vault_id from machines
      where state in ('provisioning', 'active', 'disabled') and expires_at <= $1
      limit $2`,
    [now, limit],
  );
  return rows.map(({ vault_id }) => vault_id);
}

/**
 * Some of such machines of a vault, oldest first; those that another worker has locked are skipped.
 */
export async function lockDue(
  tx: Tx,
  vaultId: string,
  now: Date,
  limit: number,
): Promise<Machine[]> {
  const rows = await tx.query<MachineRow>(
    `select ${machineColumns} from machines
      where vault_id = $1 and state in ('provisioning', 'active', 'disabled') and expires_at <= $2
      order by expires_at, machine_id
      limit $3
      for update skip locked`,
    [vaultId, now, limit],
  );
  return rows.map(machineOf);
}

/** Counts the vault's living machines: neither revoked nor past their time. */
export async function countLiving(db: Tx, vaultId: string, now: Date): Promise<number> {
  const [row] = await db.query<{ living: number }>(
    `select count(*)::int as living from machines
      where vault_id = $1 and state in ('provisioning', 'active', 'disabled') and expires_at > $2`,
    [vaultId, now],
  );
  return row?.living ?? 0;
}

/** Counts the token's living machines. */
export async function countLivingOf(
  db: Tx,
  vaultId: string,
  tokenId: string,
  now: Date,
): Promise<number> {
  const [row] = await db.query<{ living: number }>(
    `select count(*)::int as living from machines
      where vault_id = $1 and token_id = $2
        and state in ('provisioning', 'active', 'disabled') and expires_at > $3`,
    [vaultId, tokenId, now],
  );
  return row?.living ?? 0;
}

/**
 * Finds some of the token's living machines and locks them: their state does not change until the
 * transaction ends.
 */
export async function lockLivingOf(
  tx: Tx,
  vaultId: string,
  tokenId: string,
  now: Date,
  limit: number,
): Promise<Machine[]> {
  const rows = await tx.query<MachineRow>(
    `select ${machineColumns} from machines
      where vault_id = $1 and token_id = $2
        and state in ('provisioning', 'active', 'disabled') and expires_at > $3
      order by machine_id
      limit $4
      for update`,
    [vaultId, tokenId, now, limit],
  );
  return rows.map(machineOf);
}
