import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { sourceNetworkOf } from "@sallyport/proto/address";
import { Failure } from "@sallyport/rpc";
import { createCounts } from "./counts.ts";
import { countLimit } from "../observability/metrics.ts";

/** Memory for one request's content. Disposing gives back what was taken, once. */
export type RequestMemory = {
  /**
   * Takes bytes; RATE_LIMITED when the address or its network has its share, or when there are not
   * enough.
   */
  take(bytes: number): void;
} & Disposable;

/** Memory for the contents of all open requests; strangers fill it too, so it has an end. */
export type ContentMemory = {
  /** Memory for a request from an address, of which nothing is taken yet. */
  open(address: string): RequestMemory;
  /** Returns the number of bytes in use. */
  used(): number;
  readonly bytes: number;
};

type MemoryLimit = "content_memory" | "content_memory_address" | "content_memory_network";

const addressShare = 1 / 16;
const networkShare = 1 / 4;
const retryAfterMs = 1000;

/**
 * Makes it of so many bytes. Security: one address (IPv6 /64) has a sixteenth, so that it cannot
 * shut out the others, and an IPv6 /48, which anybody can rent and which has 65,536 of them, a
 * quarter.
 */
export function createContentMemory(bytes: number): ContentMemory {
  const held = createCounts();
  let used = 0;
  function limitOf(address: string, network: string, wanted: number): MemoryLimit | undefined {
    if (held.of(address) + wanted > bytes * addressShare) return "content_memory_address";
    if (held.of(network) + wanted > bytes * networkShare) return "content_memory_network";
    return used + wanted > bytes ? "content_memory" : undefined;
  }
  return {
    bytes,
    used: () => used,
    open(address) {
      const network = sourceNetworkOf(address);
      let taken = 0;
      let refusedBy: MemoryLimit | undefined;
      const change = (by: number): void => {
        taken += by;
        used += by;
        held.add(address, by);
        held.add(network, by);
      };
      return {
        take(wanted) {
          refusedBy = limitOf(address, network, wanted);
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
