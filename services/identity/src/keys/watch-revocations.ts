import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { changesSince, currentCursor } from "./change-store.ts";

const lookMs = 200;
const heartbeatMs = 1_000;
const batchSize = 1_000;

type Parts = { readonly database: Pick<Database, "query"> };

/**
 * Makes WatchRevocations. Each stream looks into the database itself, five times a second, so it
 * hears of changes made by every replica. A heartbeat is a look that succeeded: when one fails the
 * stream ends, and the gateway no longer trusts what it has cached.
 */
export function createWatchRevocations({
  database,
}: Parts): ServiceImpl<typeof KeyService>["watchRevocations"] {
  return async function* watchRevocations(_request, { signal }) {
    let cursor = await currentCursor(database);
    let sent: ReadonlySet<bigint> = new Set();
    yield {}; // From here on every change is heard.
    for (let spokeMs = performance.now(); !signal.aborted;) {
      await sleep(lookMs, undefined, { signal });
      const look = await changesSince(database, cursor);
      const fresh = look.changes.filter(({ changeId }) => !sent.has(changeId));
      cursor = look.cursor;
      sent = new Set(look.changes.map(({ changeId }) => changeId));
      const due = performance.now() - spokeMs >= heartbeatMs;
      if (fresh.length === 0 && !due) continue;
      for (const principalIds of batches([...new Set(fresh.map(({ principalId }) => principalId))]))
        yield { principalIds };
      spokeMs = performance.now();
    }
  };
}

function batches(principalIds: readonly string[]): string[][] {
  const count = Math.max(1, Math.ceil(principalIds.length / batchSize));
  return Array.from({ length: count }, (_, index) =>
    principalIds.slice(index * batchSize, (index + 1) * batchSize),
  );
}
