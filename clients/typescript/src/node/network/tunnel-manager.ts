import type { Socket } from "node:net";
import { Http2SessionManager } from "@connectrpc/connect-node";
import type { Endpoint, Pings } from "./connection.ts";
import type { ForwardProxy } from "./forward-proxy.ts";
import { openTunnel, secureOver } from "./tunnel.ts";

/** Manager of the HTTP/2 sessions with a gateway, one at a time. */
export type Manager = Pick<
  Http2SessionManager,
  "authority" | "request" | "notifyResponseByteRead" | "abort"
>;

/**
 * Makes HTTP/2 sessions in tunnels of a proxy. Http2SessionManager needs its next connection
 * synchronously, and opening a tunnel is asynchronous: so each manager has one tunnel, and the next
 * manager another. (TLS over an intermediate stream, which would be available at once, does not
 * work: a short answer is then complete before it is read, and Node treats its stream as aborted.)
 */
export function manageTunnels(proxy: ForwardProxy, endpoint: Endpoint, pings: Pings): Manager {
  const stop = new AbortController();
  let current: Promise<Http2SessionManager> | undefined;
  let latest: Http2SessionManager | undefined;
  const tunnelled = async (): Promise<Http2SessionManager> => {
    const socket = await openTunnel(proxy, endpoint.url, stop.signal);
    latest = new Http2SessionManager(endpoint.url, pings, {
      createConnection: once(() => secureOver(socket, endpoint)),
    });
    return latest;
  };
  return {
    authority: new URL(endpoint.url).origin,
    async request(...request) {
      for (;;) {
        const used = (current ??= tunnelled());
        try {
          return await (await used).request(...request);
        } catch (error) {
          if (current === used) current = undefined;
          // Then no request was sent: the manager had to connect first.
          if (error !== spent) throw error;
        }
      }
    },
    notifyResponseByteRead: (stream) => latest?.notifyResponseByteRead(stream),
    abort(reason) {
      stop.abort();
      latest?.abort(reason);
    },
  };
}

const spent = new Error("the tunnel was used");

function once(make: () => Socket): () => Socket {
  let isMade = false;
  return () => {
    if (isMade) throw spent;
    isMade = true;
    return make();
  };
}
