import { AsyncLocalStorage } from "node:async_hooks";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { Logger } from "@sallyport/telemetry";
import type { Sink } from "./event-sink.ts";

/** One refusal, and what it is counted with. */
export type Refusal = {
  /**
   * Refusals of a group share a number of kinds; a flood in one group crowds nothing out of
   * another. A few texts.
   */
  readonly group: string;
  /**
   * Refusals of a kind are counted together. Of what a stranger can make up at will nothing belongs
   * here.
   */
  readonly kind: string;
  /**
   * The count for refusals of a group beyond that number of kinds: a few texts, such as a
   * reason or a vault.
   */
  readonly rest: string;
  /** The record that stands for so many refusals of the kind, with the particulars of this one. */
  readonly record: (count: number) => Event;
  /** The record that stands for so many refusals of the rest, of any caller. */
  readonly restRecord: (count: number) => Event;
};

/** Counts refusals. Disposing records what is counted. */
export type Tally = {
  /**
   * Records the first refusal of a kind and counts those that follow; resolves when the sink has
   * what is to be recorded now, and also when it could not take it. Never rejects.
   */
  note(refusal: Refusal): Promise<void>;
} & AsyncDisposable;

/** Bounds of a tally; times are in milliseconds. */
export type TallyOptions = {
  /**
   * The time for which refusals of a kind are counted before they are recorded: 60 seconds.
   */
  readonly windowMs?: number;
  /** The number of kinds of a group that are counted separately at one time: 50. */
  readonly capacity?: number;
  /**
   * The number of records that wait for a sink that is away: 1,000. The oldest are given up, and
   * the log says how many.
   */
  readonly waiting?: number;
};

type Counted = { readonly record: (count: number) => Event; readonly more: number };
type Group = { readonly kinds: Map<string, Counted>; readonly rest: Map<string, Counted> };

const retryMs = 5_000;

/**
 * Makes a tally, so that a flood of refusals neither fills the log nor goes uncounted. The first of
 * a kind is recorded at once, the others as one record with their count when the window ends; a
 * kind that goes on has one record a window, one that paused restarts. So a group makes at most
 * one record a window for each of `capacity` kinds and for each rest, and as many more of first
 * ones. Every refusal is counted in exactly one record. What is counted but not yet recorded is
 * lost with the process, unless it is disposed.
 */
export function createTally(
  sink: Sink,
  logger: Pick<Logger, "info" | "warn" | "error">,
  { windowMs = 60_000, capacity = 50, waiting = 1_000 }: TallyOptions = {},
): Tally {
  // Records of many calls go together, so they must not end by the deadline of the call that began.
  const outsideOfCalls = AsyncLocalStorage.snapshot();
  const groups = new Map<string, Group>();
  let unsent: Event[] = [];
  let running = Promise.resolve();
  let busy = false;
  let held = false;
  let retry: NodeJS.Timeout | undefined;

  function send(events: readonly Event[]): Promise<void> {
    unsent.push(...events);
    if (!busy) running = outsideOfCalls(deliver);
    return running;
  }

  async function deliver(): Promise<void> {
    busy = true;
    clearTimeout(retry);
    let batch: readonly Event[] = [];
    try {
      while (unsent.length > 0) {
        batch = unsent;
        unsent = [];
        await sink(batch);
        if (held) logger.info("refusals are recorded again");
        held = false;
      }
    } catch (error) {
      keep(batch, error);
    } finally {
      busy = false;
    }
  }

  function keep(batch: readonly Event[], error: unknown): void {
    const all = [...batch, ...unsent];
    unsent = all.slice(-waiting);
    if (!held) logger.warn({ err: error, records: all.length }, "records of refusals wait");
    held = true;
    const lost = all.length - unsent.length;
    if (lost > 0) logger.error({ records: lost }, "refusals were not recorded");
    retry = setTimeout(() => void send([]), retryMs).unref();
  }

  function endWindow(): Promise<void> {
    const due: Event[] = [];
    for (const { kinds, rest } of groups.values())
      for (const counts of [kinds, rest])
        for (const [name, { record, more }] of counts) {
          if (more > 0) due.push(record(more));
          if (more > 0) counts.set(name, { record, more: 0 });
          else counts.delete(name);
        }
    return send(due);
  }

  // The first is recorded; the record of those that follow has the particulars of the last.
  async function add(
    counts: Map<string, Counted>,
    name: string,
    record: Counted["record"],
  ): Promise<void> {
    const known = counts.get(name);
    counts.set(name, { record, more: known ? known.more + 1 : 0 });
    if (!known) await send([record(1)]);
  }

  // Not repeat(): a window must end in time also while the sink is slow.
  const timer = setInterval(() => void endWindow(), windowMs).unref();
  return {
    async note({ group, kind, rest, record, restRecord }) {
      const places = groups.get(group) ?? {
        kinds: new Map<string, Counted>(),
        rest: new Map<string, Counted>(),
      };
      groups.set(group, places);
      if (places.kinds.has(kind) || places.kinds.size < capacity)
        return add(places.kinds, kind, record);
      return add(places.rest, rest, restRecord);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await endWindow();
      clearTimeout(retry);
      if (unsent.length > 0) logger.error({ records: unsent.length }, "refusals were not recorded");
    },
  };
}
