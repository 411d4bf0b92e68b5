import { AsyncLocalStorage } from "node:async_hooks";
import { toBinary } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { Database, Tx } from "@sallyport/postgres";
import {
  type AppendService,
  type Event,
  EventSchema,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { deliverPending } from "./deliver.ts";

/** What an outbox works with. The database has the table `outbox`; its serving role may select, insert and delete there. */
export type OutboxOptions = {
  readonly database: Pick<Database, "query">;
  readonly audit: Pick<Client<typeof AppendService>, "append">;
  readonly logger: Pick<Logger, "info" | "warn">;
};

/** Events that are committed with a change and delivered to audit after it, each at least once. DESIGN §8. */
export type Outbox = {
  /** Stores events, in their order, in the transaction of the change that they report. */
  record(tx: Tx, ...events: readonly Event[]): Promise<void>;
  /**
   * Delivers everything that was committed before the call and resolves when audit has acknowledged it. Throws Failure
   * DEPENDENCY_UNAVAILABLE when it could not; the events stay and are delivered later.
   */
  drain(): Promise<void>;
  /**
   * Resolves at once while audit takes records; when the last delivery failed, tries again and throws as drain does.
   * Asked before a change, it refuses while earlier events are held up, without waiting for those on their way.
   */
  ready(): Promise<void>;
};

const redeliveryMs = 1_000;

/** Makes the outbox of a service and begins to deliver what an earlier process left behind. Disposing stops delivery. */
export function createOutbox({ database, audit, logger }: OutboxOptions): Outbox & AsyncDisposable {
  // One delivery serves many callers, so it must not end by the deadline of the first of them.
  const outsideOfCalls = AsyncLocalStorage.snapshot();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let held = false;
  let timer: NodeJS.Timeout | undefined;
  let disposed = false;

  async function deliver(): Promise<void> {
    try {
      const delivered = await outsideOfCalls(deliverPending, database, audit);
      if (held) logger.info({ records: delivered }, "audit takes records again");
      held = false;
    } catch (error) {
      if (!held) logger.warn({ err: error }, "records wait in the outbox");
      held = true;
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, error);
    }
  }

  function start(): Promise<void> {
    running = deliver().finally(() => {
      running = undefined;
    });
    return running;
  }

  // A delivery under way may have looked before our caller committed, so the caller waits for the one after it.
  function drain(): Promise<void> {
    if (running === undefined && next === undefined) return start();
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  }

  function redeliver(): void {
    drain()
      .catch(() => undefined)
      .finally(() => {
        if (!disposed) timer = setTimeout(redeliver, redeliveryMs).unref();
      });
  }

  redeliver();
  return {
    // A microsecond for each row keeps their order; storing a row takes longer, so none is dated ahead.
    async record(tx, ...events) {
      if (events.length === 0) return;
      await tx.query(
        `insert into outbox (event_id, event, created_at)
         select event_id, event, statement_timestamp() + place * interval '1 microsecond'
           from unnest($1::text[], $2::bytea[]) with ordinality as made (event_id, event, place)`,
        [events.map(({ eventId }) => eventId), events.map((event) => toBinary(EventSchema, event))],
      );
    },
    drain,
    ready: async () => (held ? drain() : undefined),
    async [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(timer);
      await (next ?? running)?.catch(() => undefined);
    },
  };
}
