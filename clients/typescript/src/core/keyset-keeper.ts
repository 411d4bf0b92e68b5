import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetKeysetResponse } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { type TrustedKeys, verifyKeyset } from "./keyset.ts";
import { SallyportError } from "./sallyport-error.ts";

/** What a client knows of a deployment's keyset beforehand. */
export type Pinned = {
  readonly rootFingerprint: string;
  /** The epoch of the newest keyset that was seen. */
  readonly keysetEpoch?: number;
  /** Keeps the epoch of a newer one, so that it outlives the process. */
  readonly remember?: (epoch: number) => Promise<void>;
};

/** Asks for the deployment's keyset. */
export type AskKeyset = () => Promise<Pick<GetKeysetResponse, "keyset" | "serverTime">>;

/** The deployment's keys, kept fresh and never older than any that were seen. */
export type KeysetKeeper = {
  /**
   * The keys to use now; fetched when there are none, when it is time, or when newer ones are known
   * of.
   */
  current(): Promise<TrustedKeys>;
  /**
   * Fetches the keyset and verifies it against the pinned root and the greatest epoch seen; those
   * who ask at once share one request.
   */
  fetch(): Promise<TrustedKeys>;
  /**
   * Fetches as `fetch` does, and tells the gateway's clock in ms; undefined when it did not say.
   */
  check(): Promise<{ readonly keys: TrustedKeys; readonly serverTimeMs: number | undefined }>;
  /**
   * Told the epoch that a signed reply named: older keysets are refused from now on, by later
   * processes, too.
   */
  saw(epoch: number): Promise<void>;
  /**
   * Told the epoch that an owner's signed answer named: older keysets are refused as long as this
   * keeper lives.
   *
   * Security: it is kept for no later process before a keyset of that epoch was verified, or one
   * stolen owner could name an epoch that never comes and so stop every client permanently.
   */
  heard(epoch: number): void;
  /** The greatest epoch of a keyset that was verified or that a signed reply named. */
  epoch(): number;
};

const dayMs = 86_400_000;
const refreshMs = dayMs / 2;
const retryMs = 60_000;

/** Keeps the keyset of a connection, which it asks for by `ask` (SIGNING §10). */
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
    // Well before its end; when that is near and nothing newer there, once a minute.
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
