import type { Transport } from "@connectrpc/connect";
import { createBackoff } from "./backoff.ts";
import type { Connection } from "./connection.ts";

/**
 * The connections to one peer: the one for new calls, and those whose calls in flight still finish.
 */
export type Connections = {
  /** The transport for a new call. */
  readonly transport: () => Transport;
  /** Has new calls take a new connection. */
  renew(): void;
  /** Ends all and every call on them. */
  close(): void;
};

// Longer than any call to a peer may take.
const graceMs = 30_000;

/**
 * Keeps a connection for new calls: one that is worn is retired and another opened, with an
 * exponential backoff, so that a peer that breaks every connection is not asked for one by every
 * call. Until the next may be opened, calls go over the worn one: they fail at once where it is
 * gone, and it serves them where it only lost memory.
 */
export function createConnections(
  open: () => Connection,
  clock = () => performance.now(),
): Connections {
  const backoff = createBackoff(clock);
  const retired = new Set<Connection>();
  let current: Connection | undefined;
  const retire = (connection: Connection): void => {
    retired.add(connection);
    connection.retire(graceMs);
    setTimeout(() => retired.delete(connection), graceMs).unref();
  };
  const replace = (): Connection => {
    if (current) retire(current);
    backoff.attempted();
    return (current = open());
  };
  return {
    transport() {
      const needed = !current || (current.worn() && backoff.ready());
      return (needed || !current ? replace() : current).transport;
    },
    renew: () => void replace(),
    close() {
      for (const connection of retired) connection.close();
      current?.close();
    },
  };
}
