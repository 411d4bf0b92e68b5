import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/**
 * Lets few at a time through for each name. What would wait for connections or locks of the
 * database waits here instead, where it holds nothing that others need.
 */
export type Turns = {
  /**
   * Resolves with a function that passes the turn on, once. Throws Failure DEPENDENCY_UNAVAILABLE
   * when it takes longer than `waitMs`; undefined waits for ever.
   */
  take(name: string, waitMs?: number): Promise<() => void>;
};

type Queue = { taken: number; readonly waiting: Set<() => void> };

/** Makes turns, of which `atOnce` can be taken of one name at the same time. */
export function createTurns(atOnce: number): Turns {
  // A name is here while somebody has its turn.
  const queues = new Map<string, Queue>();

  function passOn(name: string, queue: Queue): void {
    const [next] = queue.waiting;
    if (next) {
      queue.waiting.delete(next);
      next();
    } else if ((queue.taken -= 1) === 0) queues.delete(name);
  }

  return {
    async take(name, waitMs) {
      const queue = queues.get(name) ?? { taken: 0, waiting: new Set() };
      queues.set(name, queue);
      if (queue.taken < atOnce) queue.taken += 1;
      else await waitIn(queue, waitMs);
      let passed = false;
      return () => {
        if (!passed) passOn(name, queue);
        passed = true;
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
      reject(fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("too many wait for the same turn")));
    }
    waiting.add(go);
  });
}
