import type { ClientBase } from "pg";
import { type Values, prepared } from "./connection.ts";
import { translated } from "./errors.ts";
import { measured } from "./measure.ts";

/**
 * Runs one prepared statement and returns its rows. Errors: Failure DEPENDENCY_UNAVAILABLE, or the
 * driver's.
 */
export type Query = <R extends object>(text: string, values?: Values) => Promise<R[]>;

/** The connection of a transaction. */
export type Tx = { readonly query: Query };

/** Makes the query function of a connection, pool or session. */
export function queryOn(client: Pick<ClientBase, "query">): Query {
  return async <R extends object>(text: string, values: Values = []) => {
    try {
      const { rows } = await measured(text, () => client.query<R>(prepared(text, values)));
      return rows;
    } catch (error) {
      throw translated(error);
    }
  };
}

/**
 * Runs a transaction (read committed) on a connection: commits when `run` resolves, rolls back when
 * it rejects, and rejects with that error. `onBroken` is called when the connection must not be
 * used again.
 */
export async function runTransaction<T>(
  client: Pick<ClientBase, "query">,
  run: (tx: Tx) => Promise<T>,
  onBroken: (error: Error) => void = () => undefined,
): Promise<T> {
  const query = queryOn(client);
  let open = true;
  const tx: Tx = {
    query: (text, values) => {
      // Else a forgotten await would write outside of the transaction, on a connection that serves
      // another request.
      if (!open) throw new Error("the transaction is over");
      return query(text, values);
    },
  };
  try {
    await query("begin");
    const result = await run(tx);
    open = false;
    await query("commit");
    return result;
  } catch (error) {
    open = false;
    await client.query("rollback").catch(onBroken);
    throw error;
  }
}
