import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import {
  type CredentialClaims,
  CredentialClaimsSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { KeyService, ResolvedKey } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { failureOf } from "@sallyport/rpc";

/** What is known of a keyid, with the credential's claims decoded; undefined when identity does not know it. */
export type KnownKey = { readonly resolved: ResolvedKey; readonly claims: CredentialClaims | undefined };

type Entry = { readonly key: KnownKey | undefined; readonly goodUntilMs: number };

const cacheMs = { known: 5000, unwatched: 1000, unknown: 1000 };
const maxBatch = 256;
const capacity = 100_000;

/** Keys by keyid: cached for seconds, looked up in batches, each keyid once at a time. */
export type KeyCache = {
  /** Finds a key; DEPENDENCY_UNAVAILABLE when identity does not answer. */
  find(keyId: string): Promise<KnownKey | undefined>;
  /** Forgets a principal's keys at once. */
  forget(principalIds: readonly string[]): void;
  /** Says whether revocations arrive; while they do not, entries live for a second only. */
  setWatched(watched: boolean): void;
};

/** Makes the cache in front of identity's ResolveKeys. */
export function createKeyCache(
  identity: Pick<Client<typeof KeyService>, "resolveKeys">,
  clock: () => number,
): KeyCache {
  const entries = new Map<string, Entry>();
  const inFlight = new Map<string, Promise<KnownKey | undefined>>();
  let waiting: { keyIds: string[]; answer: Promise<Map<string, KnownKey>> } | undefined;
  let watched = false;
  let revocations = 0;

  async function resolve(keyIds: readonly string[]): Promise<Map<string, KnownKey>> {
    try {
      const { results } = await identity.resolveKeys({ keyIds: [...keyIds] });
      const known = results.filter((resolved) => resolved.publicKey.length === 32);
      return new Map(known.map((resolved) => [resolved.keyId, { resolved, claims: claimsOf(resolved) }]));
    } catch (error) {
      throw failureOf(error);
    }
  }

  // Everything asked for in one turn of the event loop goes out as one call.
  function join(keyId: string): Promise<KnownKey | undefined> {
    if (waiting === undefined || waiting.keyIds.length >= maxBatch) {
      const keyIds: string[] = [];
      const answer = new Promise<void>((go) => setImmediate(go)).then(() => {
        if (waiting?.keyIds === keyIds) waiting = undefined;
        return resolve(keyIds);
      });
      waiting = { keyIds, answer };
    }
    waiting.keyIds.push(keyId);
    return waiting.answer.then((keys) => keys.get(keyId));
  }

  async function lookUp(keyId: string): Promise<KnownKey | undefined> {
    const before = revocations;
    const key = await join(keyId);
    // A revocation that arrived meanwhile may be newer than this answer: use it once, do not keep it.
    if (before === revocations) remember(keyId, key);
    return key;
  }

  function remember(keyId: string, key: KnownKey | undefined): void {
    const lifetime = key === undefined ? cacheMs.unknown : watched ? cacheMs.known : cacheMs.unwatched;
    const expiry = key?.claims?.expiresAt ? timestampMs(key.claims.expiresAt) : Number.POSITIVE_INFINITY;
    entries.delete(keyId);
    entries.set(keyId, { key, goodUntilMs: Math.min(clock() + lifetime, expiry) });
    const oldest = entries.size > capacity ? entries.keys().next().value : undefined;
    if (oldest !== undefined) entries.delete(oldest);
  }

  return {
    async find(keyId) {
      const entry = entries.get(keyId);
      if (entry && clock() < entry.goodUntilMs) return entry.key;
      const running = inFlight.get(keyId) ?? lookUp(keyId).finally(() => inFlight.delete(keyId));
      inFlight.set(keyId, running);
      return running;
    },
    forget(principalIds) {
      if (principalIds.length === 0) return;
      revocations += 1;
      const gone = new Set(principalIds);
      for (const keyId of entries.keys()) if (gone.has(keyId.split(".")[0] ?? keyId)) entries.delete(keyId);
    },
    setWatched(now) {
      // What was cached before the watch broke may have been revoked unheard.
      if (!now) entries.clear();
      watched = now;
    },
  };
}

function claimsOf(resolved: ResolvedKey): CredentialClaims | undefined {
  return resolved.credential && fromBinary(CredentialClaimsSchema, resolved.credential.payload);
}
