import { EvidenceError, countRefusedStep } from "@sallyport/evidence";
import { type LabelsOf, counter, observe } from "@sallyport/telemetry";
import type { RateClass } from "../limits/rates.ts";
import type { ConcurrencyLimiter } from "../limits/concurrency-limiter.ts";
import type { Connections } from "../connections/connections.ts";
import type { ContentMemory } from "../limits/content-memory.ts";
import type { SourceBuckets } from "../limits/source-buckets.ts";
import type { HttpRefusal } from "../errors/http-refusals.ts";
import type { Step } from "../verification/step-refusal.ts";
import type { KeyCache } from "../verification/key-cache.ts";

/** The limits of the gateway, as metrics name them. */
export type LimitName =
  | "connections"
  | "connection_rate"
  | "open_requests"
  | "address"
  | "new_key"
  | "key_lookup"
  | "content_memory"
  | "content_memory_address"
  | "content_memory_network"
  | "in_flight"
  | "in_flight_address"
  | "in_flight_principal"
  | `principal_${Exclude<RateClass, "none">}`;

const limits: readonly LimitName[] = [
  "connections",
  "connection_rate",
  "open_requests",
  "address",
  "new_key",
  "key_lookup",
  "content_memory",
  "content_memory_address",
  "content_memory_network",
  "in_flight",
  "in_flight_address",
  "in_flight_principal",
  "principal_read",
  "principal_manage",
];
const requests = counter("sallyport.limit.requests");
const lookups = counter("sallyport.cache.lookups");
const refusals = counter("sallyport.verify.refusals");

/** Counts a request that a limit let pass or refused. */
export function countLimit(limit: LimitName, passed: boolean): void {
  requests({ limit, outcome: passed ? "allowed" : "refused" });
}

/** Counts a look-up of a key; "joined" is one that waited for the answer to another. */
export function countKeyLookup(result: "hit" | "miss" | "joined"): void {
  lookups({ cache: "keys", result });
}

/** Counts a request that the checklist refused, by the step at which it was. */
export function countRefusal(error: unknown, step: Step): void {
  if (error instanceof EvidenceError) countRefusedStep(error);
  else refusals({ step });
}

/** Counts a request that was refused as HTTP: for its path, its method, or its form. */
export function countHttpRefusal(status: HttpRefusal["status"]): void {
  if (status === 404) refusals({ step: "path" });
  else refusals({ step: status === 405 ? "method" : "head" });
}

/** Wraps an address limiter, so that its results are counted. */
export function counted(limit: LimitName, limiter: SourceBuckets): SourceBuckets {
  return {
    ...limiter,
    take(address, count) {
      const waitMs = limiter.take(address, count);
      countLimit(limit, waitMs === 0);
      return waitMs;
    },
  };
}

/** The state in memory that a gateway shows in its metrics. */
export type Held = {
  readonly addresses: SourceBuckets;
  readonly newKeyAddresses: SourceBuckets;
  readonly lookUpAddresses: SourceBuckets;
  readonly keys: Pick<KeyCache, "size">;
  readonly concurrency: Pick<ConcurrencyLimiter, "taken" | "limit">;
  readonly memory: Pick<ContentMemory, "used" | "bytes">;
};

/**
 * Creates every series of the gateway's limits and caches at the start, and observes their sizes.
 */
export function observeHeld(held: Held): Disposable {
  for (const limit of limits)
    for (const outcome of ["allowed", "refused"]) requests({ limit, outcome }, 0);
  for (const result of ["hit", "miss", "joined"]) lookups({ cache: "keys", result }, 0);
  const { keys, concurrency, memory } = held;
  const limiters = [
    ["address", held.addresses],
    ["new_key", held.newKeyAddresses],
    ["key_lookup", held.lookUpAddresses],
  ] as const;
  const each = (value: (limiter: SourceBuckets) => number) =>
    limiters.map(([limit, limiter]) => ({
      value: value(limiter),
      labels: { limit } satisfies LimitLabel,
    }));
  using stack = new DisposableStack();
  stack.use(observe("sallyport.limit.addresses", () => each((limiter) => limiter.size())));
  stack.use(observe("sallyport.limit.addresses.max", () => each((limiter) => limiter.capacity)));
  stack.use(
    observe("sallyport.in_flight.requests", () => [{ value: concurrency.taken(), labels: {} }]),
  );
  stack.use(observe("sallyport.in_flight.max", () => [{ value: concurrency.limit, labels: {} }]));
  stack.use(
    observe("sallyport.content.memory.usage", () => [{ value: memory.used(), labels: {} }]),
  );
  stack.use(observe("sallyport.content.memory.limit", () => [{ value: memory.bytes, labels: {} }]));
  stack.use(
    observe("sallyport.cache.entries", () => [{ value: keys.size(), labels: { cache: "keys" } }]),
  );
  return stack.move();
}

type LimitLabel = LabelsOf<"sallyport.limit.addresses"> & { readonly limit: LimitName };

/** Observes the open connections. */
export function observeConnections(connections: Pick<Connections, "open">): Disposable {
  return observe("sallyport.connections", () => [{ value: connections.open(), labels: {} }]);
}
