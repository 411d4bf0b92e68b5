import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { Peers } from "./peers.ts";
import {
  type Due,
  holdDueProjects,
  holdDueSecrets,
  purgeProjects,
  purgeSecrets,
} from "./store/purge.ts";

/** The dependencies of purging. */
export type PurgeParts = {
  readonly writes: Pick<Database, "transaction">;
  readonly directory: Pick<Peers["directory"], "retireResources">;
  readonly outbox: Pick<Outbox, "ready" | "record" | "drain">;
};

type Kind = {
  readonly hold: (tx: Tx, limit: number) => Promise<Due[]>;
  readonly purge: (tx: Tx, ids: readonly string[]) => Promise<string[]>;
  readonly named: (
    ids: string[],
  ) => { readonly secretIds: string[] } | { readonly projectIds: string[] };
  readonly event: (gone: Due) => Event;
};

// Secrets first: a project goes when it holds none any more.
const kinds: readonly Kind[] = [
  {
    hold: holdDueSecrets,
    purge: purgeSecrets,
    named: (secretIds) => ({ secretIds }),
    event: (secret) =>
      newEvent("secrets", "secret.purged", { ...recordOf(secret), secretId: secret.id }),
  },
  {
    hold: holdDueProjects,
    purge: purgeProjects,
    named: (projectIds) => ({ projectIds }),
    event: (project) => newEvent("secrets", "project.purged", recordOf(project)),
  },
];
const batchSize = 50;

/**
 * Makes the purge of everything that was deleted more than 30 days ago. It works in batches,
 * each a transaction of its own; replicas take different ones. Nothing goes while audit takes no
 * records.
 */
export function createPurge({ writes, directory, outbox }: PurgeParts): () => Promise<void> {
  return async () => {
    for (const kind of kinds) {
      let purged: number;
      do {
        await outbox.ready();
        purged = await writes.transaction((tx) => purgeBatch(tx, kind, { directory, outbox }));
        await outbox.drain();
      } while (purged > 0);
    }
  };
}

// Policy hears before anything goes: should the rest fail, the next run finds it still due.
async function purgeBatch(
  tx: Tx,
  { hold, purge, named, event }: Kind,
  { directory, outbox }: Omit<PurgeParts, "writes">,
): Promise<number> {
  const due = await hold(tx, batchSize);
  for (const [vaultId, mine] of Map.groupBy(due, (one) => one.vaultId))
    await directory.retireResources({ vaultId, ...named(mine.map(({ id }) => id)), purged: true });
  const gone = new Set(
    await purge(
      tx,
      due.map(({ id }) => id),
    ),
  );
  for (const one of due.filter(({ id }) => gone.has(id))) await outbox.record(tx, event(one));
  return due.length;
}

function recordOf({ vaultId, projectId, name }: Due) {
  return { actorKind: ActorKind.SERVICE, actorId: "secrets", vaultId, projectId, detail: { name } };
}
