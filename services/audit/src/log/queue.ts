import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { type TracePlace, currentPlace, outsideOfTraces } from "@sallyport/telemetry";

/** The write function of a queue, its capacity, and its batch size. */
export type QueueOptions<Item, Result> = {
  /**
   * Writes items and returns a result for each, in order; it is never called again before it
   * settled.
   */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Most items that may wait or be written at one time. */
  readonly capacity: number;
  /** Items after which a batch takes no further call; calls are not split. */
  readonly batchSize: number;
};

type Call<Item, Result> = {
  readonly items: readonly Item[];
  readonly resolve: (results: readonly Result[]) => void;
  readonly reject: (error: unknown) => void;
  readonly place: TracePlace;
};

/** A group commit: while one batch is written, the calls that arrive gather for the next. */
export type Queue<Item, Result> = {
  /**
   * Resolves with the results of these items after they were written, in the order of the calls.
   * Throws Failure DEPENDENCY_UNAVAILABLE at once when the queue is full, and what `write` threw
   * when it failed.
   */
  add(items: readonly Item[]): Promise<readonly Result[]>;
  /** Resolves when nothing waits. */
  idle(): Promise<void>;
  /** The number of items that wait or are being written. */
  size(): number;
};

/** Makes an empty queue. */
export function createQueue<Item, Result>({
  write,
  capacity,
  batchSize,
}: QueueOptions<Item, Result>): Queue<Item, Result> {
  const waiting: Call<Item, Result>[] = [];
  let held = 0;
  let running: Promise<void> | undefined;

  function takeBatch(): Call<Item, Result>[] {
    let size = 0;
    const end = waiting.findIndex(({ items }, index) => {
      size += items.length;
      return index > 0 && size > batchSize;
    });
    return waiting.splice(0, end === -1 ? waiting.length : end);
  }

  async function writeBatch(batch: readonly Call<Item, Result>[]): Promise<void> {
    const items = batch.flatMap((call) => call.items);
    try {
      const results = await inOneOfTheirTraces(batch, () => write(items));
      let next = 0;
      for (const call of batch) call.resolve(results.slice(next, (next += call.items.length)));
    } catch (error) {
      for (const call of batch) call.reject(error);
    } finally {
      held -= items.length;
    }
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) await writeBatch(takeBatch());
    running = undefined;
  }

  return {
    add(items) {
      if (held + items.length > capacity)
        return Promise.reject(fail(Reason.DEPENDENCY_UNAVAILABLE));
      held += items.length;
      const { promise, resolve, reject } = Promise.withResolvers<readonly Result[]>();
      waiting.push({ items, resolve, reject, place: currentPlace() });
      running ??= run();
      return promise;
    },
    idle: async () => running,
    size: () => held,
  };
}

// A batch is written for all of its calls: the first that is traced shows it, and where none is, no
// trace does.
function inOneOfTheirTraces<T>(
  calls: readonly { readonly place: TracePlace }[],
  write: () => T,
): T {
  const traced = calls.find(({ place }) => place.sampled);
  return traced ? traced.place.run(write) : outsideOfTraces(write);
}
