import type { Socket } from "node:net";
import { Http2SessionManager } from "@connectrpc/connect-node";
import type { Endpoint, Pings } from "./connection.ts";
import type { ForwardProxy } from "./forward-proxy.ts";
import { openTunnel, secureOver } from "./tunnel.ts";

/** What makes HTTP/2 sessions with a gateway, one at a time. */
export type Manager = Pick<
  Http2SessionManager,
  "authority" | "request" | "notifyResponseByteRead" | "abort"
>;

/**
 * Makes HTTP/2 sessions in tunnels of a proxy. Http2SessionManager wants its next connection at
 * once, and a tunnel takes a while: so each manager has one tunnel, and the next one another. (TLS
 * over a stream in between, which would be there at once, is none: a short answer is then whole
 * before anybody reads it, and Node takes its stream for one that was cut.)
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
          // Then nothing was sent: the manager had to connect first.
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
