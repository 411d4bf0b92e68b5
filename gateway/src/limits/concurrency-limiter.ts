import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { sourceNetworkOf } from "@sallyport/proto/address";
import { Failure } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { type AdaptiveBound, type Bounds, createAdaptiveBound } from "./adaptive-limit.ts";
import type { RateClass } from "./rates.ts";
import { type Counts, createCounts } from "./counts.ts";
import { countLimit } from "../observability/metrics.ts";

/** There are more requests than can be worked at now; nothing was spent on this one. */
export class NoPlaceError extends Failure {}

/** One request's place among those that are worked at. */
export type Place = {
  /**
   * Takes it. RATE_LIMITED when the address, or the IPv6 /48 that it is of, has its share,
   * DEPENDENCY_UNAVAILABLE when there is none left, both with a delay. Slow contents are waited for
   * before it, and slow readers after: neither keeps a place.
   */
  take(): void;
  /**
   * Counts it among a principal's, whose signature held, until it is left; RATE_LIMITED when that
   * one has its share. Security: an answer that nobody reads is held in memory, so it counts.
   */
  countFor(principalId: string): void;
  /**
   * Works at the request, and gives the place back after that; a client that has gone meanwhile
   * does not end the work.
   */
  work<T>(run: () => Promise<T>): Promise<T>;
  /** Gives back what is still held, once the work that is done in it is over. */
  leave(): Promise<void>;
};

/** The places of a gateway. */
export type Places = {
  /** A place for a request of such a method from an address, which is yet to be taken. */
  open(rateClass: RateClass, address: string): Place;
  /** How many are taken. */
  taken(): number;
  /** How many there are now. */
  bound(): number;
};

/** How many places there are unless a test says otherwise. */
export const defaultPlaces: Bounds = { most: 128, fewest: 32 };

// Security: what one may have of all places, so that who is noisy leaves some to the others.
// Methods have a share so that an admin can still revoke a machine while machines read as fast as
// they can.
const shares = {
  everybody: (places: number) => places,
  methods: (places: number) => (places * 3) / 4,
  address: (places: number) => Math.max(leastShare, places / 2),
  network: (places: number) => Math.max(leastShare, (places * 5) / 8), // less than the methods have
  principal: (places: number) => Math.max(leastShare, places / 4),
};
const leastShare = 8; // What a client of ours asks at a time.
const [shortestMs, longestMs] = [500, 1500];
const tellMs = 10_000;

/**
 * Makes the places; `clock` gives milliseconds and runs evenly. Tells the operator every 10 seconds
 * while there are too few.
 */
export function createPlaces(
  bounds: Bounds,
  clock: () => number,
  logger: Pick<Logger, "warn">,
): Places {
  const { current, answered } = createAdaptiveBound(bounds, clock);
  const held = createCounts();
  const taken = (): number => held.of(everybody);
  const bound = (): number => current(taken());
  const crowd: Crowd = {
    clock,
    held,
    answered,
    isFree: (key, share) => held.of(key) < share(bound()),
    tell: teller(clock, logger),
  };
  return {
    open: (rateClass, address) => openPlace(crowd, `methods ${rateClass}`, address),
    taken,
    bound,
  };
}

type Share = (places: number) => number;
type Crowd = Pick<AdaptiveBound, "answered"> & {
  readonly clock: () => number;
  readonly held: Counts;
  /** Whether less than that share of the places is held under a key. */
  readonly isFree: (key: string, share: Share) => boolean;
  readonly tell: () => void;
};

const everybody = "everybody";

function openPlace(
  { clock, held, answered, isFree, tell }: Crowd,
  methods: string,
  address: string,
): Place {
  const network = sourceNetworkOf(address);
  let isTaken = false;
  let principal: string | undefined;
  let sinceMs = 0;
  let working: Promise<unknown> | undefined;
  const count = (by: number): void => {
    isTaken = by > 0;
    for (const key of [everybody, methods, `address ${address}`, network]) held.add(key, by);
  };
  const occupy = (): void => {
    sinceMs = clock();
    count(1);
  };
  const giveBack = (): void => {
    if (isTaken) count(-1);
  };
  const giveBackShare = (): void => {
    if (principal !== undefined) held.add(principal, -1);
    principal = undefined;
  };
  return {
    take() {
      const hasShare =
        isFree(`address ${address}`, shares.address) && isFree(network, shares.network);
      letIn("in_flight_address", hasShare, Reason.RATE_LIMITED);
      const free = isFree(everybody, shares.everybody) && isFree(methods, shares.methods);
      if (!free) tell();
      letIn("in_flight", free, Reason.DEPENDENCY_UNAVAILABLE);
      occupy();
    },
    countFor(principalId) {
      const key = `principal ${principalId}`;
      letIn("in_flight_principal", isFree(key, shares.principal), Reason.RATE_LIMITED);
      held.add(key, 1);
      principal = key;
    },
    work(run) {
      if (!isTaken) occupy(); // Its client has just gone, and the work begins all the same.
      const work = Promise.try(run).finally(() => {
        answered(clock() - sinceMs);
        giveBack();
      });
      working = work.catch(() => undefined);
      return work;
    },
    async leave() {
      if (working) await working;
      giveBack();
      giveBackShare();
    },
  };
}

type PlaceLimit = "in_flight" | "in_flight_address" | "in_flight_principal";

// Those who are refused at once do not come back at once.
function letIn(limit: PlaceLimit, free: boolean, reason: Reason): void {
  countLimit(limit, free);
  if (free) return;
  const retryAfterMs = Math.round(shortestMs + Math.random() * (longestMs - shortestMs));
  throw new NoPlaceError(reason, { retryAfterMs });
}

// One line for a crowd: one for each request would cost more than the request.
function teller(clock: () => number, logger: Pick<Logger, "warn">): () => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  let refused = 0;
  return () => {
    refused += 1;
    if (clock() - toldMs < tellMs) return;
    logger.warn({ refused }, "more requests than can be worked at: some were told to come again");
    toldMs = clock();
    refused = 0;
  };
}
