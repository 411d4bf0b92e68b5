import type { ClientHttp2Stream, Http2Session } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { Http2SessionManager, createNodeHttpClient } from "@connectrpc/connect-node";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { forwardProxyOf } from "./forward-proxy.ts";
import { trustOf } from "./trust.ts";
import { type Manager, manageTunnels } from "./tunnel-manager.ts";

/**
 * The address of a gateway and its CA. `ca` is PEM text; without it the system's CAs are trusted.
 */
export type Endpoint = { readonly url: string; readonly ca?: string };

/**
 * A client's connection to its gateway: one HTTP/2 session at a time, opened when a request needs
 * it.
 */
export type Connection = {
  /**
   * Sends a request. A connection that was idle for 5 s is pinged first, and one that is silent for
   * 5 s during a request; without an answer within 3 s it is closed. One on which a request timed
   * out accepts no further requests. The next request then opens another.
   */
  readonly send: UniversalClientFn;
  /** Closes it and cancels all requests on it. */
  readonly close: () => void;
};

/** Interval and timeout of a connection's pings, in milliseconds. */
export type Pings = { readonly pingIntervalMs: number; readonly pingTimeoutMs: number };

// A lost link is detected within one attempt of 10 s, so that the next one uses another connection.
const defaultPings: Pings = { pingIntervalMs: 5_000, pingTimeoutMs: 3_000 };
// Longer than any attempt that began before the connection was abandoned.
const graceMs = 30_000;

type Session = { readonly send: UniversalClientFn; readonly abort: () => void };

/**
 * Makes the connection to a gateway, through the proxy that the environment names for it; it
 * connects with the first request. Throws UNREACHABLE for an invalid proxy address.
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
  // Other requests may still get their answer on it: it is closed after their timeout.
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
      // ended: the error would have no listener, and Node ends the process for that.
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
