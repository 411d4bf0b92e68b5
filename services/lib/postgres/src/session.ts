import { Client } from "pg";
import { type ConnectionOptions, clientConfig } from "./connection.ts";
import { translated } from "./errors.ts";
import { type Query, type Tx, queryOn, runTransaction } from "./transaction.ts";

/**
 * One connection that nobody shares, for what is bound to it: advisory locks, and the one writer of
 * a log.
 */
export type Session = {
  /** Runs one prepared statement and returns its rows; waits for a running transaction. */
  readonly query: Query;
  /** Runs a transaction; statements and transactions run one after another. */
  transaction<T>(run: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Calls back once when the connection is lost, at once if it already is; not when it was
   * disposed.
   */
  onLost(listener: (error: Error) => void): void;
} & AsyncDisposable;

/** Which database, and how long a statement may run, in milliseconds (4,000; 0 for ever). */
export type SessionOptions = ConnectionOptions & { readonly statementTimeoutMs?: number };

/**
 * Connects. Rejects, as everything in the session does, with Failure DEPENDENCY_UNAVAILABLE when
 * the server is away.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const client = new Client(clientConfig(options, options.statementTimeoutMs));
  const loss = watchLoss(client);
  await client.connect().catch((error: unknown) => {
    throw translated(error);
  });
  const inTurn = createTurns();
  const query = queryOn(client);
  return {
    query: (text, values) => inTurn(() => query(text, values)),
    transaction: (run) => inTurn(() => runTransaction(client, run, loss.report)),
    onLost: loss.onLost,
    async [Symbol.asyncDispose]() {
      loss.ignore();
      await client.end();
    },
  };
}

function watchLoss(client: Client) {
  const listeners = new Set<(error: Error) => void>();
  let lost: Error | undefined;
  let ignored = false;
  const report = (error: Error): void => {
    if (lost || ignored) return;
    lost = error;
    for (const listener of listeners) listener(error);
  };
  client.on("error", report);
  client.on("end", () => report(new Error("the connection ended")));
  return {
    report,
    ignore: () => void (ignored = true),
    onLost: (listener: (error: Error) => void): void => {
      if (lost) listener(lost);
      else listeners.add(listener);
    },
  };
}

function createTurns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const turn = last.then(run, run);
    last = turn.catch(() => undefined);
    return turn;
  };
}
