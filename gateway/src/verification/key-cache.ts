import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { credentialLifetimeMs, maxSkewMs } from "@sallyport/evidence";
import {
  type CredentialClaims,
  CredentialClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type {
  KeyService,
  ResolvedKey,
} from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { peerFailure } from "../errors/public-errors.ts";
import { countKeyLookup } from "../observability/metrics.ts";

/**
 * An answer about a keyid, with the credential's claims decoded; undefined when identity does not
 * know it.
 */
export type KnownKey = {
  readonly resolved: ResolvedKey;
  readonly claims: CredentialClaims | undefined;
};

type Entry = {
  readonly key: KnownKey;
  /** By the steady clock. */
  readonly freshUntilMs: number;
  /** By the time of day: when the credential ends; undefined where there is none. */
  readonly expiresMs: number | undefined;
};
type LookUp = Promise<KnownKey | undefined>;

const cacheMs = { known: 5000, unwatched: 1000, unknown: 1000 };
const maxBatch = 256;
const defaultCapacity: Capacity = { known: 100_000, unknown: 10_000 };

/** Largest number of cached keys, and of cached keyids that identity does not know. */
export type Capacity = { readonly known: number; readonly unknown: number };

/** The allowance of an address for look-ups of keyids that identity does not know. */
export type LookUpAllowance = {
  /** Takes leave for one look-up; throws where there is none. */
  take(): void;
  /** Gives it back: it was not for an unknown keyid. */
  giveBack(): void;
};

/** Clocks in milliseconds: the wall clock, and a monotonic clock. */
export type Clocks = { readonly time: () => number; readonly steady: () => number };

/** Keys by keyid: cached for seconds, looked up in batches, each keyid once at a time. */
export type KeyCache = {
  /**
   * Finds a key; DEPENDENCY_UNAVAILABLE when identity does not answer. A look-up of a keyid that is
   * unknown costs one of the allowance; one that was known a moment ago is looked up again for
   * nothing, so strangers cannot use up its allowance.
   */
  find(keyId: string, allowance: LookUpAllowance): LookUp;
  /** Forgets a principal's keys at once; no look-up that began before answers a later find. */
  forget(principalIds: readonly string[]): void;
  /** Sets whether revocations arrive; while they do not, entries live for a second only. */
  setWatched(watched: boolean): void;
  /** Returns the number of cached keys. */
  size(): number;
};

/**
 * Makes the cache in front of identity's ResolveKeys. Security: what is unknown is remembered
 * apart, or strangers could make up keyids until every known one is forgotten.
 */
export function createKeyCache(
  identity: Pick<Client<typeof KeyService>, "resolveKeys">,
  clocks: Clocks,
  capacity = defaultCapacity,
): KeyCache {
  const entries = new Map<string, Entry>();
  const unknownUntilMs = new Map<string, number>();
  const inFlight = new Map<string, LookUp>();
  const resolve = batched(identity);
  let watched = false;
  // Counts what an answer on its way may have missed: then it is used by those who wait, and not
  // kept.
  let generation = 0;

  async function lookUp(keyId: string): LookUp {
    const before = generation;
    const key = await resolve(keyId);
    if (before !== generation) return key;
    if (key) remember(keyId, key);
    else {
      entries.delete(keyId);
      setNewest(unknownUntilMs, keyId, clocks.steady() + cacheMs.unknown, capacity.unknown);
    }
    return key;
  }

  function remember(keyId: string, key: KnownKey): void {
    const freshUntilMs = clocks.steady() + (watched ? cacheMs.known : cacheMs.unwatched);
    const expiresMs = key.claims?.expiresAt && timestampMs(key.claims.expiresAt);
    setNewest(entries, keyId, { key, freshUntilMs, expiresMs }, capacity.known);
  }

  function begin(keyId: string): LookUp {
    const started = lookUp(keyId).finally(() => {
      if (inFlight.get(keyId) === started) inFlight.delete(keyId);
    });
    inFlight.set(keyId, started);
    return started;
  }

  async function beginWithin(keyId: string, allowance: LookUpAllowance): LookUp {
    allowance.take();
    let isUnknown = false;
    try {
      const key = await begin(keyId);
      isUnknown = key === undefined;
      return key;
    } finally {
      if (!isUnknown) allowance.giveBack();
    }
  }

  // A credential that nobody would take is not kept: it is over, or was made while a clock of ours
  // was wrong.
  function isGood({ freshUntilMs, expiresMs }: Entry): boolean {
    if (clocks.steady() >= freshUntilMs) return false;
    if (expiresMs === undefined) return true;
    const leftMs = expiresMs - clocks.time();
    return leftMs > 0 && leftMs <= credentialLifetimeMs + maxSkewMs;
  }

  function startOver(): void {
    generation += 1;
    inFlight.clear();
  }

  return {
    async find(keyId, allowance) {
      const entry = entries.get(keyId);
      const isKnown = entry !== undefined && isGood(entry);
      if (isKnown || clocks.steady() < (unknownUntilMs.get(keyId) ?? 0)) {
        countKeyLookup("hit");
        return isKnown ? entry.key : undefined;
      }
      const running = inFlight.get(keyId);
      countKeyLookup(running ? "joined" : "miss");
      if (running) return running;
      return entries.has(keyId) ? begin(keyId) : beginWithin(keyId, allowance);
    },
    forget(principalIds) {
      if (principalIds.length === 0) return;
      startOver();
      const gone = new Set(principalIds);
      for (const keyId of entries.keys()) if (gone.has(principalOf(keyId))) entries.delete(keyId);
    },
    setWatched(now) {
      if (now === watched) return;
      startOver();
      // Entries cached before the stream broke may have been revoked unnoticed.
      if (!now) entries.clear();
      watched = now;
    },
    size: () => entries.size,
  };
}

// The one unheard of for longest goes first.
function setNewest<T>(map: Map<string, T>, key: string, value: T, capacity: number): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.size > capacity ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}

// A user's keyid is the user's id, a dot and the device.
function principalOf(keyId: string): string {
  return keyId.split(".")[0] ?? keyId;
}

type Batch = {
  readonly keyIds: Set<string>;
  readonly answer: Promise<ReadonlyMap<string, KnownKey>>;
};

// All look-ups of one turn of the event loop are one call.
function batched(
  identity: Pick<Client<typeof KeyService>, "resolveKeys">,
): (keyId: string) => LookUp {
  let waiting: Batch | undefined;
  const begin = (): Batch => {
    const keyIds = new Set<string>();
    const answer = new Promise<void>((go) => setImmediate(go)).then(() => {
      if (waiting?.keyIds === keyIds) waiting = undefined;
      return resolveKeys(identity, keyIds);
    });
    return { keyIds, answer };
  };
  return async (keyId) => {
    if (waiting === undefined || waiting.keyIds.size >= maxBatch) waiting = begin();
    const { keyIds, answer } = waiting;
    keyIds.add(keyId);
    return (await answer).get(keyId);
  };
}

async function resolveKeys(
  identity: Pick<Client<typeof KeyService>, "resolveKeys">,
  keyIds: ReadonlySet<string>,
): Promise<ReadonlyMap<string, KnownKey>> {
  const { results } = await identity
    .resolveKeys({ keyIds: [...keyIds] })
    .catch((error: unknown) => {
      throw peerFailure(error);
    });
  const known = results.filter((resolved) => resolved.publicKey.length === 32);
  return new Map(
    known.map((resolved) => [resolved.keyId, { resolved, claims: claimsOf(resolved) }]),
  );
}

function claimsOf({ credential }: ResolvedKey): CredentialClaims | undefined {
  return credential && fromBinary(CredentialClaimsSchema, credential.payload);
}
