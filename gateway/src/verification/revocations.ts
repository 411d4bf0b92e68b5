import type { Client } from "@connectrpc/connect";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { repeat } from "@sallyport/schedule";
import type { KeyCache } from "./key-cache.ts";

type Identity = Pick<Client<typeof KeyService>, "watchRevocations">;
type Listener = Pick<KeyCache, "forget" | "setWatched">;

/** Silence after which a stream counts as lost, and delay before the next one, in milliseconds. */
export type WatchTimes = { readonly silenceMs: number; readonly reconnectMs: number };

const defaultTimes: WatchTimes = { silenceMs: 5000, reconnectMs: 500 };

/** Keeps identity's revocation stream open and the key cache honest about it, until disposed. */
export function watchRevocations(
  identity: Identity,
  keys: Listener,
  times = defaultTimes,
): Disposable {
  const { [Symbol.dispose]: stop } = repeat({
    async run(stopped) {
      await follow(identity, keys, stopped, times.silenceMs);
      keys.setWatched(false);
    },
    everyMs: times.reconnectMs,
  });
  return { [Symbol.dispose]: stop };
}

// Returns when the stream ends, fails or falls silent: identity sends a heartbeat every 2 seconds.
async function follow(
  identity: Identity,
  keys: Listener,
  stopped: AbortSignal,
  silenceMs: number,
): Promise<void> {
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), silenceMs);
  try {
    const signal = AbortSignal.any([stopped, silent.signal]);
    for await (const { principalIds } of identity.watchRevocations({}, { signal })) {
      timer.refresh();
      keys.setWatched(true);
      keys.forget(principalIds);
    }
  } catch {
    // Reconnecting is the answer to every failure of the stream.
  } finally {
    clearTimeout(timer);
  }
}
