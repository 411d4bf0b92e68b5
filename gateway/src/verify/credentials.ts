import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { credentialLifetimeMs, maxSkewMs } from "@sallyport/evidence";
import {
  type CredentialClaims,
  CredentialClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { KeyService, ResolvedKey } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { peerFailure } from "../errors.ts";
import { countKeyLookup } from "../metrics.ts";

/** What is known of a keyid, with the credential's claims decoded; undefined when identity does not know it. */
export type KnownKey = { readonly resolved: ResolvedKey; readonly claims: CredentialClaims | undefined };

type Entry = {
  readonly key: KnownKey | undefined;
  /** By the steady clock. */
  readonly freshUntilMs: number;
  /** By the time of day: when the credential ends; undefined where there is none. */
  readonly expiresMs: number | undefined;
};
type LookUp = Promise<KnownKey | undefined>;

const cacheMs = { known: 5000, unwatched: 1000, unknown: 1000 };
const maxBatch = 256;
const defaultCapacity = 100_000;

/** Milliseconds: the time of day, and a clock that runs evenly whatever the time of day is set to. */
export type Clocks = { readonly time: () => number; readonly steady: () => number };

/** Keys by keyid: cached for seconds, looked up in batches, each keyid once at a time. */
export type KeyCache = {
  /** Finds a key; DEPENDENCY_UNAVAILABLE when identity does not answer. */
  find(keyId: string): LookUp;
  /** Forgets a principal's keys at once; no look-up that began before answers a later find. */
  forget(principalIds: readonly string[]): void;
  /** Says whether revocations arrive; while they do not, entries live for a second only. */
  setWatched(watched: boolean): void;
  /** How many keyids are remembered, the unknown ones included. */
  size(): number;
};

/** Makes the cache in front of identity's ResolveKeys, for at most `capacity` keys. */
export function createKeyCache(
  identity: Pick<Client<typeof KeyService>, "resolveKeys">,
  clocks: Clocks,
  capacity = defaultCapacity,
): KeyCache {
  const entries = new Map<string, Entry>();
  const inFlight = new Map<string, LookUp>();
  const resolve = batched(identity);
  let watched = false;
  // Counts what an answer on its way may have missed: then it is used by those who wait, and not kept.
  let generation = 0;

  async function lookUp(keyId: string): LookUp {
    const before = generation;
    const key = await resolve(keyId);
    if (before === generation) remember(keyId, key);
    return key;
  }

  function remember(keyId: string, key: KnownKey | undefined): void {
    const lifetime = key === undefined ? cacheMs.unknown : watched ? cacheMs.known : cacheMs.unwatched;
    const expiresMs = key?.claims?.expiresAt && timestampMs(key.claims.expiresAt);
    entries.delete(keyId);
    entries.set(keyId, { key, freshUntilMs: clocks.steady() + lifetime, expiresMs });
    const oldest = entries.size > capacity ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
  }

  // A credential that nobody would take is not kept: it is over, or was made while a clock of ours was wrong.
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
    async find(keyId) {
      const entry = entries.get(keyId);
      if (entry && isGood(entry)) {
        countKeyLookup("hit");
        return entry.key;
      }
      const running = inFlight.get(keyId);
      countKeyLookup(running ? "joined" : "miss");
      if (running) return running;
      const started = lookUp(keyId).finally(() => {
        if (inFlight.get(keyId) === started) inFlight.delete(keyId);
      });
      inFlight.set(keyId, started);
      return started;
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
      // What was cached before the watch broke may have been revoked unheard.
      if (!now) entries.clear();
      watched = now;
    },
    size: () => entries.size,
  };
}

// A user's keyid is the user's id, a dot and the device.
function principalOf(keyId: string): string {
  return keyId.split(".")[0] ?? keyId;
}

type Batch = { readonly keyIds: Set<string>; readonly answer: Promise<ReadonlyMap<string, KnownKey>> };

// Everything asked for in one turn of the event loop goes out as one call.
function batched(identity: Pick<Client<typeof KeyService>, "resolveKeys">): (keyId: string) => LookUp {
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
  const { results } = await identity.resolveKeys({ keyIds: [...keyIds] }).catch((error: unknown) => {
    throw peerFailure(error);
  });
  const known = results.filter((resolved) => resolved.publicKey.length === 32);
  return new Map(known.map((resolved) => [resolved.keyId, { resolved, claims: claimsOf(resolved) }]));
}

function claimsOf({ credential }: ResolvedKey): CredentialClaims | undefined {
  return credential && fromBinary(CredentialClaimsSchema, credential.payload);
}
