import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { sourceNetworkOf } from "@sallyport/proto/address";
import { Failure } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { countLimit } from "../observability/metrics.ts";
import { type Counts, createCounts } from "./counts.ts";
import type { RateClass } from "./rates.ts";
import type { Limits } from "./settings.ts";

/** The concurrency limit was reached; nothing was spent on the request. */
export class ConcurrencyLimitError extends Failure {}

/**
 * One request's concurrency slot. It is taken when the content is there and free again when the
 * answer is made, so slow senders and slow readers hold none. Disposing waits for the work that
 * runs in it, and then gives back what is still held, once.
 */
export type ConcurrencySlot = {
  /**
   * Counts the request among those of a principal, whose signature held, until the slot is disposed
   * of; RATE_LIMITED where the principal has its share. Security: an answer that nobody reads is
   * held in memory, so it counts.
   */
  countFor(principalId: string): void;
  /**
   * Runs the work of the request and frees the slot after it; a client that has gone meanwhile does
   * not end the work.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
} & AsyncDisposable;

/** The concurrency limit of a gateway, and the shares of it. */
export type ConcurrencyLimiter = {
  /**
   * Takes a slot for a request of such a method from an address. RATE_LIMITED where the address, or
   * its IPv6 /48, has its share; DEPENDENCY_UNAVAILABLE where no slot is free; both with a delay.
   */
  acquire(rateClass: RateClass, address: string): ConcurrencySlot;
  /** Returns the number of slots in use. */
  taken(): number;
  readonly limit: number;
};

type ConcurrencyLimits = Pick<
  Limits,
  "concurrencyLimit" | "addressPercent" | "principalPercent" | "classPercent"
>;

const leastShare = 8; // A client of ours sends as many at once.
const networkFactor = 1.25; // Of an address's share, for its whole /48.
const [shortestDelayMs, longestDelayMs] = [500, 1500];
const warnEveryMs = 10_000;

// Security: a noisy caller leaves some slots to the others. Methods have a share so that an admin
// can still revoke a machine while machines read as fast as they can.
function sharesOf(limits: ConcurrencyLimits) {
  const { concurrencyLimit: limit, addressPercent, principalPercent, classPercent } = limits;
  const share = (percent: number): number => Math.max(leastShare, (limit * percent) / 100);
  return {
    methods: (limit * classPercent) / 100,
    address: share(addressPercent),
    network: share(addressPercent * networkFactor),
    principal: share(principalPercent),
  };
}

/**
 * Creates the limiter; `clock` gives milliseconds and is monotonic. Logs one warning per 10 seconds
 * while requests are refused for want of a slot.
 */
export function createConcurrencyLimiter(
  limits: ConcurrencyLimits,
  clock: () => number,
  logger: Pick<Logger, "warn">,
): ConcurrencyLimiter {
  const held = createCounts();
  const limit = limits.concurrencyLimit;
  const shares = sharesOf(limits);
  const warn = warner(clock, logger);
  return {
    limit,
    taken: () => held.of(everybody),
    acquire(rateClass, address) {
      const methods = `methods ${rateClass}`;
      const network = sourceNetworkOf(address);
      const hasShare =
        held.of(`address ${address}`) < shares.address && held.of(network) < shares.network;
      admit("in_flight_address", hasShare, Reason.RATE_LIMITED);
      const isFree = held.of(everybody) < limit && held.of(methods) < shares.methods;
      if (!isFree) warn();
      admit("in_flight", isFree, Reason.DEPENDENCY_UNAVAILABLE);
      const keys = [everybody, methods, `address ${address}`, network];
      return openSlot(held, keys, shares.principal);
    },
  };
}

const everybody = "everybody";

function openSlot(held: Counts, keys: readonly string[], principalShare: number): ConcurrencySlot {
  let isTaken = false;
  let principal: string | undefined;
  let working: Promise<unknown> | undefined;
  const take = (): void => {
    if (isTaken) return;
    isTaken = true;
    for (const key of keys) held.add(key, 1);
  };
  const free = (): void => {
    if (!isTaken) return;
    isTaken = false;
    for (const key of keys) held.add(key, -1);
  };
  take();
  return {
    countFor(principalId) {
      const key = `principal ${principalId}`;
      admit("in_flight_principal", held.of(key) < principalShare, Reason.RATE_LIMITED);
      held.add(key, 1);
      principal = key;
    },
    run(work) {
      take(); // The client may have gone and the slot with it; the work begins all the same.
      const running = Promise.try(work).finally(free);
      working = running.catch(() => undefined);
      return running;
    },
    async [Symbol.asyncDispose]() {
      if (working) await working;
      free();
      if (principal !== undefined) held.add(principal, -1);
      principal = undefined;
    },
  };
}

type ConcurrencyLimitName = "in_flight" | "in_flight_address" | "in_flight_principal";

// The delay has jitter: callers refused in the same moment must not return in the same moment.
function admit(limit: ConcurrencyLimitName, free: boolean, reason: Reason): void {
  countLimit(limit, free);
  if (free) return;
  const jitterMs = Math.random() * (longestDelayMs - shortestDelayMs);
  throw new ConcurrencyLimitError(reason, { retryAfterMs: Math.round(shortestDelayMs + jitterMs) });
}

// One line for many refusals: one for each would cost more than the request.
function warner(clock: () => number, logger: Pick<Logger, "warn">): () => void {
  let warnedMs = Number.NEGATIVE_INFINITY;
  let refused = 0;
  return () => {
    refused += 1;
    if (clock() - warnedMs < warnEveryMs) return;
    logger.warn(
      { refused },
      "the concurrency limit is reached: requests were refused with a delay",
    );
    warnedMs = clock();
    refused = 0;
  };
}
