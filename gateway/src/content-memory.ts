import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Failure } from "@sallyport/rpc";
import { createCounts } from "./counts.ts";
import { countLimit } from "./metrics.ts";

/** Memory for one request's content. Disposing gives back what was taken, once. */
export type RequestMemory = {
  /** Takes bytes; RATE_LIMITED when the address has its share of them, or when there are not enough. */
  take(bytes: number): void;
} & Disposable;

/** Memory for the contents of all open requests; strangers fill it too, so it has an end. */
export type ContentMemory = {
  /** Memory for a request from an address, of which nothing is taken yet. */
  open(address: string): RequestMemory;
  /** How many bytes are taken. */
  used(): number;
  readonly bytes: number;
};

type MemoryLimit = "content_memory" | "content_memory_address";

const defaultBytes = 256 * 1024 * 1024;
const addressShare = 1 / 16;
const retryAfterMs = 1000;

/** Makes it of so many bytes. Security: one address has a sixteenth, so that it cannot shut out the others. */
export function createContentMemory(bytes = defaultBytes): ContentMemory {
  const held = createCounts();
  let used = 0;
  function limitOf(address: string, wanted: number): MemoryLimit | undefined {
    if (held.of(address) + wanted > bytes * addressShare) return "content_memory_address";
    return used + wanted > bytes ? "content_memory" : undefined;
  }
  return {
    bytes,
    used: () => used,
    open(address) {
      let taken = 0;
      let refusedBy: MemoryLimit | undefined;
      const change = (by: number): void => {
        taken += by;
        used += by;
        held.add(address, by);
      };
      return {
        take(wanted) {
          refusedBy = limitOf(address, wanted);
          if (refusedBy) throw new Failure(Reason.RATE_LIMITED, { retryAfterMs });
          change(wanted);
        },
        [Symbol.dispose]() {
          change(-taken);
          countLimit(refusedBy ?? "content_memory", refusedBy === undefined);
        },
      };
    },
  };
}
