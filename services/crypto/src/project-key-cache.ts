import { createHash } from "node:crypto";
import { counter, observe } from "@sallyport/telemetry";
import { type KekProvider } from "@sallyport/proto/keyring";
import { type KeyOwner, type ProjectKey, unwrapProjectKey } from "./project-key.ts";

/** A copy of a project key; disposing zeroes it. */
export type HeldProjectKey = ProjectKey & Disposable;

/** Unwrapped project keys, kept in memory for minutes so that a KMS is not asked for every read. */
export type ProjectKeyCache = {
  /**
   * Unwraps the key of that owner, or copies it. Throws EnvelopeError or WrongKekError (ENVELOPE
   * §2.3).
   */
  get(owner: KeyOwner, wrapped: Uint8Array): Promise<HeldProjectKey>;
} & Disposable;

/**
 * The time to keep a key in milliseconds (5 minutes), the most keys (1,000), and a monotonic
 * clock.
 */
export type CacheOptions = {
  readonly ttlMs?: number;
  readonly maxKeys?: number;
  readonly clock?: () => number;
};

const lookups = counter("sallyport.cache.lookups");
const cache = "project_keys";

type Kept = ProjectKey & { readonly untilMs: number };

/**
 * Makes a cache over a KEK. Keys are zeroed when their time is over, when there are too many, and
 * on disposal.
 */
export function createProjectKeyCache(
  kek: KekProvider,
  options: CacheOptions = {},
): ProjectKeyCache {
  const { ttlMs = 300_000, maxKeys = 1_000, clock = () => performance.now() } = options;
  for (const result of ["hit", "miss"]) lookups({ cache, result }, 0);
  const kept = new Map<string, Kept>(); // In the order of their end, since all live equally long.
  const drop = (name: string, { key }: Kept): void => {
    kept.delete(name);
    key.fill(0);
  };
  const sweep = (): void => {
    for (const [name, entry] of kept)
      if (entry.untilMs <= clock() || kept.size > maxKeys) drop(name, entry);
  };
  const observed = observe("sallyport.cache.entries", () => [
    { value: kept.size, labels: { cache } },
  ]);
  const timer = setInterval(sweep, Math.max(1, ttlMs / 5)).unref();
  return {
    async get(owner, wrapped) {
      const name = nameOf(owner, wrapped);
      const known = kept.get(name);
      const hit = known !== undefined && known.untilMs > clock();
      lookups({ cache, result: hit ? "hit" : "miss" });
      if (hit) return hold(known);
      const fresh = await unwrapProjectKey(kek, owner, wrapped);
      const entry = { ...fresh, untilMs: clock() + ttlMs };
      const held = hold(entry);
      const replaced = kept.get(name); // Another call may have been faster.
      if (replaced) drop(name, replaced);
      kept.set(name, entry);
      sweep();
      return held;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      observed[Symbol.dispose]();
      for (const [name, entry] of kept) drop(name, entry);
    },
  };
}

// A copy, so that the end of the kept key does not zero one in use.
function hold({ generation, key }: ProjectKey): HeldProjectKey {
  const copy = new Uint8Array(key);
  return { generation, key: copy, [Symbol.dispose]: () => void copy.fill(0) };
}

// Security: vault and project are in the name, or a hit would skip the check that the key is
// theirs.
function nameOf({ vaultId, projectId }: KeyOwner, wrapped: Uint8Array): string {
  return `${vaultId} ${projectId} ${createHash("sha256").update(wrapped).digest("base64")}`;
}
