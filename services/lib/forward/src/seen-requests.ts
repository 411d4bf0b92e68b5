import type { Database, Tx } from "@sallyport/postgres";

const sweepEveryMs = 60_000;

/**
 * Marks a request digest as seen, in the transaction of the change that it asks for. Returns false
 * when it was seen before; of two at once, the second waits for the first one's outcome.
 */
export async function markSeen(tx: Tx, digest: Uint8Array, expiresMs: number): Promise<boolean> {
  const inserted = await tx.query(
    "insert into seen_requests (request_digest, expires_at) values ($1, $2) on conflict do " +
      "nothing returning 1 as seen",
    [digest, new Date(expiresMs)],
  );
  return inserted.length > 0;
}

/**
 * Forgets, at most once a minute, digests whose requests are refused by their time alone. A failed
 * sweep is tried again.
 */
export function createSweep(database: Pick<Database, "query">): (nowMs: number) => Promise<void> {
  let sweptMs = 0;
  return async (nowMs) => {
    if (nowMs - sweptMs < sweepEveryMs) return;
    sweptMs = nowMs;
    await database
      .query("delete from seen_requests where expires_at < $1", [new Date(nowMs)])
      .catch(() => undefined);
  };
}
