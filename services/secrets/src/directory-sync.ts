import type { Database, Tx } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { failureOf } from "@sallyport/rpc";
import type { Peers } from "./peers.ts";
import { type Resource, hold, kindOf } from "./store/resources.ts";
import {
  addUnsettled,
  listUnsettled,
  postponeUnsettled,
  removeUnsettled,
} from "./store/pending-sync.ts";

/** The dependencies of keeping policy up to date. */
export type LivenessParts = {
  readonly reads: Pick<Database, "query">;
  readonly writes: Pick<Database, "transaction">;
  readonly directory: Pick<Peers["directory"], "retireResources" | "reinstateResources">;
};

/**
 * Tells policy what lives. Between two databases something may always fail: what policy might
 * believe wrongly is noted first, and sent again until it knows what is stored here.
 */
export type Liveness = {
  /**
   * Hides a project or secret from policy, before it is marked as deleted in the transaction that
   * holds it. Should the transaction fail, policy is corrected later.
   */
  hide(tx: Tx, resource: Resource): Promise<void>;
  /** Notes in the transaction that restores something that policy has to hear of it. */
  promise(tx: Tx, resource: Resource): Promise<void>;
  /**
   * Tells policy whether a project or secret lives; throws when it cannot, and then it is told
   * later.
   */
  settle(resource: Resource): Promise<void>;
  /** Settles what waits, oldest first; throws what kept one from it, after it tried the others. */
  settleAll(): Promise<void>;
};

const batchSize = 100;

/** Makes the way to policy. */
export function createLiveness({ reads, writes, directory }: LivenessParts): Liveness {
  const tell = async (resource: Resource, living: boolean): Promise<void> => {
    const change = idsOf(resource);
    await (living ? directory.reinstateResources(change) : directory.retireResources(change)).catch(
      (error: unknown) => {
        throw failureOf(error);
      },
    );
  };

  // Under the lock of the row, as every change of it: so what policy hears last is what is stored.
  const settle = (resource: Resource): Promise<void> =>
    writes.transaction(async (tx) => {
      const living = await hold(tx, resource);
      if (living !== undefined) await tell(resource, living);
      await removeUnsettled(tx, resource.id);
    });

  return {
    async hide(tx, resource) {
      await addUnsettled(reads, resource); // Not in the transaction: it must outlive its failure.
      await tell(resource, false);
      await removeUnsettled(tx, resource.id);
    },
    promise: addUnsettled,
    settle,
    async settleAll() {
      let failure: Error | undefined;
      for (const resource of await listUnsettled(reads, batchSize)) {
        try {
          await settle(resource);
        } catch (error) {
          const told = failureOf(error);
          if (told.reason === Reason.DEPENDENCY_UNAVAILABLE) throw told;
          failure ??= told;
          await postponeUnsettled(reads, resource.id);
        }
      }
      if (failure) throw failure;
    },
  };
}

function idsOf({ id, vaultId }: Resource) {
  return kindOf(id) === "project" ? { vaultId, projectIds: [id] } : { vaultId, secretIds: [id] };
}
