import type { Tx } from "@sallyport/postgres";
import type { State } from "./directory.ts";

/** The two kinds of ids in the directory. */
export type Kind = "project" | "secret";

const statements = {
  project: statementsOf("projects", "project_id"),
  secret: statementsOf("secrets", "secret_id"),
};

function statementsOf(table: string, id: string) {
  return {
    lock: `select ${id} as id, state from ${table} where vault_id = $1 and ${id} = any($2::text[])
            order by ${id} for no key update`,
    set: `update ${table} set state = $3 where vault_id = $1 and ${id} = any($2::text[])`,
  };
}

/** Locks the state of those ids that the vault has until the transaction ends, and returns it. */
export async function lockStates(
  tx: Tx,
  kind: Kind,
  vaultId: string,
  ids: readonly string[],
): Promise<Map<string, State>> {
  const rows = await tx.query<{ id: string; state: State }>(statements[kind].lock, [vaultId, ids]);
  return new Map(rows.map(({ id, state }) => [id, state]));
}

/** Sets the state of ids that this transaction has locked. */
export async function setState(
  tx: Tx,
  kind: Kind,
  vaultId: string,
  ids: readonly string[],
  state: State,
): Promise<void> {
  if (ids.length > 0) await tx.query(statements[kind].set, [vaultId, ids, state]);
}
