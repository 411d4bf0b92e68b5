import type { ClientHttp2Stream, Http2Session } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager, createNodeHttpClient } from "@connectrpc/connect-node";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { forwardProxyOf } from "./forward-proxy.ts";
import { trustOf } from "./trust.ts";
import { type Manager, manageTunnels } from "./tunnel-manager.ts";

/**
 * Where a gateway is and how to trust it. `ca` is PEM text; without it the system's CAs are
 * trusted.
 */
export type Endpoint = { readonly url: string; readonly ca?: string };

/** A client's way to its gateway: one HTTP/2 connection at a time, made when a request needs it. */
export type Connection = {
  /**
   * Sends a request. A connection that was idle for 5 s is pinged first, and one that is silent for
   * 5 s below a request; without an answer within 3 s it ends. One on which a request timed out
   * takes no further ones. The next request then makes another.
   */
  readonly send: UniversalClientFn;
  /** Ends it with all requests on it. */
  readonly close: () => void;
};

/** When a connection is pinged, and how long an answer may take, in milliseconds. */
export type Pings = { readonly pingIntervalMs: number; readonly pingTimeoutMs: number };

// A lost link is noticed within one attempt of 10 s, so that the next one finds another connection.
const defaultPings: Pings = { pingIntervalMs: 5_000, pingTimeoutMs: 3_000 };
// Longer than any attempt that began before the connection was given up.
const graceMs = 30_000;

type Session = { readonly send: UniversalClientFn; readonly abort: () => void };

/**
 * Opens the way to a gateway, by way of the proxy that the environment names for it; nothing is
 * connected yet. Throws UNREACHABLE for a proxy's address that is none.
 */
export function openConnection(
  endpoint: Endpoint,
  {
    env = process.env,
    pings = defaultPings,
  }: { readonly env?: NodeJS.ProcessEnv | undefined; readonly pings?: Pings } = {},
): Connection {
  const open = (): Session => sessionOf(managerOf(endpoint, env, pings));
  const givenUp = new Set<Session>();
  let current = open();
  // Others may still get their answer on it: it is cut when their time is over as well.
  const giveUp = (session: Session): void => {
    if (session !== current) return;
    current = open();
    givenUp.add(session);
    setTimeout(() => {
      session.abort();
      givenUp.delete(session);
    }, graceMs).unref();
  };
  return {
    send(request) {
      const session = current;
      const { signal } = request;
      signal?.addEventListener("abort", () => isTimeout(signal.reason) && giveUp(session), {
        once: true,
      });
      return session.send(request);
    },
    close() {
      for (const session of [current, ...givenUp]) session.abort();
    },
  };
}

function managerOf(endpoint: Endpoint, env: NodeJS.ProcessEnv, pings: Pings): Manager {
  const proxy = forwardProxyOf(new URL(endpoint.url), env);
  if (proxy) return manageTunnels(proxy, endpoint, pings);
  return new Http2SessionManager(endpoint.url, pings, trustOf(endpoint.ca));
}

function sessionOf(manager: Manager): Session {
  const heard = new WeakSet<Http2Session>();
  const sessions = {
    authority: manager.authority,
    async request(...request: Parameters<Manager["request"]>) {
      const stream = await manager.request(...request);
      const { session } = stream;
      // The manager stops listening to a session that it replaces, before the session says why it
      // ended: nobody would hear the error, and Node ends the process for that.
      if (session && !heard.has(session)) session.on("error", () => undefined);
      if (session) heard.add(session);
      return stream;
    },
    notifyResponseByteRead: (stream: ClientHttp2Stream) => manager.notifyResponseByteRead(stream),
  };
  const send = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => sessions });
  return { send, abort: () => manager.abort() };
}

function isTimeout(reason: unknown): boolean {
  if (reason instanceof ConnectError) return reason.code === Code.DeadlineExceeded;
  return reason instanceof Error && reason.name === "TimeoutError";
}
