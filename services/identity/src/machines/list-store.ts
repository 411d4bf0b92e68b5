import type { Tx } from "@sallyport/postgres";
import {
  type Machine,
  type MachineRow,
  type StoredState,
  machineColumns,
  machineOf,
} from "./store.ts";

/** Which machines of a vault to list; what is empty restricts nothing. */
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
