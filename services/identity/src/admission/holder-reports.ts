import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type Rate, createBuckets } from "@sallyport/rate-limit";

/**
 * An act of the holder of a token or code that changes nothing, and so can be repeated without end.
 */
export type Held = {
  readonly action: "token.refused" | "token.checked" | "login_code.refused";
  readonly vaultId: string;
  /** The token or code. */
  readonly subjectId: string;
  /** The key by which acts on one token or code are counted together: the failed step. */
  readonly step: string;
  readonly reason: string;
  /** The record: of this one, or with its particulars of so many. */
  readonly record: (count: { readonly count?: string }) => Event;
};

/** Reports of what holders of tokens and codes do. */
export type HolderReports = {
  /**
   * Records in the transaction while the token or code has room for that, and counts what is
   * beyond.
   */
  report(tx: Tx, held: Held): Promise<void>;
};

/** The rate of records for one token or code: a burst of 20, 10 per minute. */
export const holderRate: Rate = { perSecond: 10 / 60, burst: 20 };

/** Makes the reports; the clock is monotonic, in milliseconds. */
export function createHolderReports(
  outbox: Pick<Outbox, "record" | "note">,
  clock: () => number,
): HolderReports {
  const budgets = createBuckets(holderRate, clock);
  return {
    async report(tx, held) {
      const { action, vaultId, subjectId, step, reason, record } = held;
      if (budgets.take(subjectId) === 0) return outbox.record(tx, record({}));
      // Not awaited: it takes a connection of its own, and the transaction that waited for that
      // would hold locks.
      void outbox.note({
        group: `${action} held`,
        kind: `${subjectId} ${step}`,
        rest: vaultId,
        record: (count) => record({ count: String(count) }),
        restRecord: (count) =>
          newEvent("identity", action, {
            actorKind: ActorKind.UNKNOWN,
            vaultId,
            reason,
            detail: { count: String(count) },
          }),
      });
    },
  };
}
