import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/**
 * A semaphore for each key. Callers that would wait for connections or locks of the database wait
 * here instead, where they hold nothing that others need.
 */
export type KeyedSemaphore = {
  /**
   * Resolves with a function that releases the permit; calling it again does nothing. Throws
   * Failure DEPENDENCY_UNAVAILABLE when it takes longer than `waitMs`; undefined waits without a
   * limit.
   */
  acquire(key: string, waitMs?: number): Promise<() => void>;
};

type Queue = { taken: number; readonly waiting: Set<() => void> };

/** Makes a semaphore with that many permits for each key. */
export function createKeyedSemaphore(permits: number): KeyedSemaphore {
  // A key is here while one of its permits is taken.
  const queues = new Map<string, Queue>();

  function release(key: string, queue: Queue): void {
    const [next] = queue.waiting;
    if (next) {
      queue.waiting.delete(next);
      next();
    } else if ((queue.taken -= 1) === 0) queues.delete(key);
  }

  return {
    async acquire(key, waitMs) {
      const queue = queues.get(key) ?? { taken: 0, waiting: new Set() };
      queues.set(key, queue);
      if (queue.taken < permits) queue.taken += 1;
      else await waitIn(queue, waitMs);
      let released = false;
      return () => {
        if (!released) release(key, queue);
        released = true;
      };
    },
  };
}

function waitIn({ waiting }: Queue, waitMs: number | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs);
    function go(): void {
      clearTimeout(timer);
      resolve();
    }
    function giveUp(): void {
      waiting.delete(go);
      reject(
        fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("too many wait for the same permit")),
      );
    }
    waiting.add(go);
  });
}
