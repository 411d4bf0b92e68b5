import { type PoolClient, Pool } from "pg";
import { type ConnectionOptions, clientConfig } from "./connection.ts";
import { translated } from "./errors.ts";
import { observePool } from "./measure.ts";
import { type Query, type Tx, queryOn, runTransaction } from "./transaction.ts";

export type { Tx } from "./transaction.ts";

/** A service's database. Disposing waits for running statements and closes the pool. */
export type Database = {
  /** Runs one prepared statement on any connection and returns its rows. */
  readonly query: Query;
  /** Runs a transaction: all statements of `run` or none. */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
} & AsyncDisposable;

/** Which database, and how many connections at most (10). */
export type DatabaseOptions = ConnectionOptions & { readonly poolSize?: number };

/**
 * Opens a pool; connects at the first use. Statements have four seconds. Everything throws Failure
 * DEPENDENCY_UNAVAILABLE while the database cannot be reached or does not answer in time, and the
 * driver's error otherwise.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const { applicationName, poolSize = 10 } = options;
  const pool = new Pool({ ...clientConfig(options), max: poolSize, idleTimeoutMillis: 30_000 });
  // An idle connection that breaks leaves the pool automatically; without a listener it would end
  // the process.
  pool.on("error", () => undefined);
  const query = queryOn(pool);
  const observed = observePool(pool, applicationName, poolSize);
  return {
    query,
    transaction: (run) => onConnection(pool, run),
    ping: async () => void (await query("select 1")),
    async [Symbol.asyncDispose]() {
      observed[Symbol.dispose]();
      await pool.end();
    },
  };
}

async function onConnection<T>(pool: Pool, run: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await connect(pool);
  let broken: Error | undefined;
  const onError = (error: Error): void => void (broken = error);
  client.on("error", onError);
  try {
    return await runTransaction(client, run, onError);
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw translated(error);
  }
}
