import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetKeysetResponse } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { type TrustedKeys, verifyKeyset } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";

/** The pinned facts of a deployment's keyset. */
export type Pinned = {
  readonly rootFingerprint: string;
  /** The epoch of the newest known keyset. */
  readonly keysetEpoch?: number;
  /** Persists the epoch of a newer one. */
  readonly remember?: (epoch: number) => Promise<void>;
};

/** Requests the deployment's keyset. */
export type AskKeyset = () => Promise<Pick<GetKeysetResponse, "keyset" | "serverTime">>;

/** The deployment's current keys, never of an older keyset than a known one. */
export type KeysetKeeper = {
  /**
   * Returns the current keys; fetches them when there are none, when a refresh is due, or when a
   * newer keyset is known to exist.
   */
  current(): Promise<TrustedKeys>;
  /**
   * Fetches the keyset and verifies it against the pinned root and the greatest known epoch;
   * concurrent calls share one request.
   */
  fetch(): Promise<TrustedKeys>;
  /**
   * Fetches as `fetch` does, and returns the gateway's clock in ms; undefined when it is not known.
   */
  check(): Promise<{ readonly keys: TrustedKeys; readonly serverTimeMs: number | undefined }>;
  /**
   * Records the epoch that a signed reply named: older keysets are refused from now on, by later
   * processes, too.
   */
  saw(epoch: number): Promise<void>;
  /**
   * Records the epoch that an owner's signed answer named: older keysets are refused for the
   * lifetime of this keeper.
   *
   * Security: it is not persisted before a keyset of that epoch is verified; otherwise one
   * compromised owner could name an epoch that is never issued and so disable every client
   * permanently.
   */
  heard(epoch: number): void;
  /** The greatest epoch of a keyset that was verified or that a signed reply named. */
  epoch(): number;
};

const dayMs = 86_400_000;
const refreshMs = dayMs / 2;
const retryMs = 60_000;

/** Makes the keyset keeper of a connection, which requests the keyset with `ask` (SIGNING §10). */
export function createKeysetKeeper(
  { rootFingerprint, keysetEpoch = 1, remember }: Pinned,
  ask: AskKeyset,
  clock: () => number = Date.now,
): KeysetKeeper {
  let smallest = keysetEpoch;
  let seen = keysetEpoch;
  let keys: TrustedKeys | undefined;
  let asking: Promise<TrustedKeys> | undefined;
  let fetchAtMs = 0;

  const heard: KeysetKeeper["heard"] = (epoch) => {
    smallest = Math.max(smallest, epoch);
  };
  const saw: KeysetKeeper["saw"] = async (epoch) => {
    heard(epoch);
    if (epoch <= seen) return;
    seen = epoch;
    await remember?.(epoch);
  };
  const check: KeysetKeeper["check"] = async () => {
    const { keyset, serverTime } = await ask();
    const fetched = await verifyKeyset(keyset, rootFingerprint, clock(), smallest);
    keys = fetched;
    // Well before its expiry; once a minute when that is near and there is no newer one.
    fetchAtMs = Math.max(
      clock() + retryMs,
      Math.min(clock() + refreshMs, fetched.notAfterMs - dayMs),
    );
    await saw(fetched.epoch);
    return { keys: fetched, serverTimeMs: serverTime && timestampMs(serverTime) };
  };
  const fetch: KeysetKeeper["fetch"] = () => {
    asking ??= check()
      .then((checked) => checked.keys)
      .finally(() => (asking = undefined));
    return asking;
  };
  const current: KeysetKeeper["current"] = async () => {
    const known = keys;
    const isGood = known !== undefined && clock() < known.notAfterMs && known.epoch >= smallest;
    if (isGood && clock() < fetchAtMs) return known;
    try {
      return await fetch();
    } catch (error) {
      if (!isGood || isDistrust(error)) throw error;
      fetchAtMs = clock() + retryMs;
      return known;
    }
  };
  return { current, fetch, check, saw, heard, epoch: () => seen };
}

function isDistrust(error: unknown): boolean {
  return (
    error instanceof SallyportError && ["REPLY_UNTRUSTED", "ROOT_CHANGED"].includes(error.reason)
  );
}
