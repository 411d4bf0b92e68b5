import type { Client } from "@connectrpc/connect";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import type { KeyCache } from "./credentials.ts";

const silenceMs = 5000;
const reconnectMs = 500;

/** Keeps identity's revocation stream open and the key cache honest about it, until disposed. */
export function watchRevocations(
  identity: Pick<Client<typeof KeyService>, "watchRevocations">,
  keys: KeyCache,
): Disposable {
  const stop = new AbortController();
  void (async () => {
    while (!stop.signal.aborted) {
      await follow(identity, keys, stop.signal);
      keys.setWatched(false);
      await new Promise((resolve) => setTimeout(resolve, reconnectMs).unref());
    }
  })();
  return { [Symbol.dispose]: () => stop.abort() };
}

// Returns when the stream ends, fails or falls silent: identity sends a heartbeat every 2 seconds.
async function follow(
  identity: Pick<Client<typeof KeyService>, "watchRevocations">,
  keys: KeyCache,
  stopped: AbortSignal,
): Promise<void> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), silenceMs);
  try {
    const signal = AbortSignal.any([stopped, silent.signal]);
    for await (const { principalIds } of identity.watchRevocations({}, { signal, timeoutMs: 0 })) {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceMs);
      keys.setWatched(true);
      keys.forget(principalIds);
    }
  } catch {
    // Reconnecting is the answer to every failure of the stream.
  } finally {
    clearTimeout(timer);
  }
}
