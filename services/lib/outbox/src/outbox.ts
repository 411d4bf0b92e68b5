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
import { type Sink, type Tally, type TallyOptions, createTally } from "@sallyport/audit-events";
import { fail } from "@sallyport/rpc";
import { repeat } from "@sallyport/schedule";
import { type Logger, observe } from "@sallyport/telemetry";
import { type Delivery, deliverPending } from "./deliver.ts";

/** The options of an outbox. The database has the table `outbox` of the README. */
export type OutboxOptions = {
  readonly database: Pick<Database, "query">;
  readonly audit: Pick<Client<typeof AppendService>, "append">;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** Bounds of what `note` counts. */
  readonly refusals?: TallyOptions;
};

/**
 * Events that are committed with a change and delivered to audit after it, each at least once. See
 * services/audit/LOG.md.
 */
export type Outbox = {
  /** Stores events in the transaction of the change that they report. */
  record(tx: Tx, ...events: readonly Event[]): Promise<void>;
  /**
   * Before a change: resolves at once while audit takes records, without waiting for those on their
   * way; tries again when the last delivery failed. Throws Failure DEPENDENCY_UNAVAILABLE while
   * records are held up.
   */
  ready(): Promise<void>;
  /**
   * After a change: delivers everything that was committed before the call. `own`, the transaction
   * of the change, has it resolve only when audit acknowledged the events of that change, and none
   * was refused. Without it, any event that is refused meanwhile counts. Throws Failure
   * DEPENDENCY_UNAVAILABLE when audit is away: the events are delivered later; and INTERNAL when an
   * event was refused permanently: the change is made, and must not be answered as recorded.
   */
  drain(own?: Tx): Promise<void>;
  /** Stores events that belong to no change; they are delivered soon. */
  readonly send: Sink;
  /** Counts refusals that change nothing, and records how many there were. */
  readonly note: Tally["note"];
  /** For the health of a process: throws while an event lies here that audit refused. */
  checkRefused(): Promise<void>;
};

const redeliveryMs = 1_000;

/**
 * Makes the outbox of a service and begins to deliver what an earlier process left behind.
 * Disposing stops delivery.
 */
export function createOutbox(options: OutboxOptions): Outbox & AsyncDisposable {
  const { database, audit, logger } = options;
  // One delivery serves many callers, so it must not end by the deadline of the first of them.
  const outsideOfCalls = AsyncLocalStorage.snapshot();
  const recorded = new WeakMap<Tx, string[]>();
  let running: Promise<Delivery> | undefined;
  let next: Promise<Delivery> | undefined;
  let held = false;

  async function deliver(): Promise<Delivery> {
    try {
      const delivery = await outsideOfCalls(deliverPending, database, audit, logger);
      if (held) logger.info({ records: delivery.acknowledged.size }, "audit takes records again");
      held = false;
      return delivery;
    } catch (error) {
      if (!held) logger.warn({ err: error }, "records wait in the outbox");
      held = true;
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, error);
    }
  }

  function start(): Promise<Delivery> {
    running = deliver().finally(() => {
      running = undefined;
    });
    return running;
  }

  // A delivery under way may have looked before our caller committed, so the caller waits for the
  // one after it.
  function deliverAll(): Promise<Delivery> {
    if (running === undefined && next === undefined) return start();
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  }

  // An earlier delivery or another replica may have delivered them: what is gone was acknowledged.
  async function requireAcknowledged(own: Tx, { acknowledged }: Delivery): Promise<void> {
    const open = (recorded.get(own) ?? []).filter((eventId) => !acknowledged.has(eventId));
    if (open.length === 0) return;
    const left = await database.query<{ refused: boolean }>(
      "select refused_at is not null as refused from outbox where event_id = any($1::text[])",
      [open],
    );
    if (left.some(({ refused }) => refused)) throw refusedForGood();
    if (left.length > 0) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
  }

  const send: Sink = async (events) => {
    // A sink may be given the same events again.
    await database.query(`${insertEvents} on conflict do nothing`, valuesOf(events));
    void deliverAll().catch(() => undefined); // Told above; it is tried again.
  };
  const tally = createTally(send, logger, options.refusals);

  const observed = observe("sallyport.outbox.pending", async () => {
    const [row] = await database.query<{ pending: number }>(
      "select count(*)::int as pending from outbox where refused_at is null",
    );
    return row ? [{ value: row.pending, labels: {} }] : [];
  });
  // A failure is logged where it happens.
  const redelivery = repeat({ run: async () => void (await deliverAll()), everyMs: redeliveryMs });
  return {
    async record(tx, ...events) {
      await tx.query(insertEvents, valuesOf(events));
      recorded.set(tx, [...(recorded.get(tx) ?? []), ...events.map(({ eventId }) => eventId)]);
    },
    async ready() {
      if (held) await deliverAll();
    },
    async drain(own) {
      const delivery = await deliverAll();
      if (own) await requireAcknowledged(own, delivery);
      else if (delivery.refused.length > 0) throw refusedForGood();
    },
    send,
    note: (refusal) => tally.note(refusal),
    async checkRefused() {
      const [row] = await database.query("select from outbox where refused_at is not null limit 1");
      if (row) throw refusedForGood();
    },
    async [Symbol.asyncDispose]() {
      await tally[Symbol.asyncDispose]();
      observed[Symbol.dispose]();
      redelivery[Symbol.dispose]();
      await (next ?? running)?.catch(() => undefined);
    },
  };
}

// Events of one statement differ in time, so that they are delivered in the order in which
// they were given.
const insertEvents = `insert into outbox (event_id, event, created_at)
  select event_id, event, clock_timestamp() + number * interval '1 microsecond'
  from unnest($1::text[], $2::bytea[]) with ordinality as given (event_id, event, number)`;

function valuesOf(events: readonly Event[]): unknown[] {
  return [
    events.map(({ eventId }) => eventId),
    events.map((event) => toBinary(EventSchema, event)),
  ];
}

function refusedForGood() {
  return fail(Reason.INTERNAL, {}, new Error("audit refused a record for good"));
}
