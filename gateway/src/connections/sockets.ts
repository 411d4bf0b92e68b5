import type { Http2SecureServer } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** The open connections of a server that is about to stop. */
export type Sockets = {
  /**
   * Ends, now and from now on, what has no request open: unfinished handshakes and quiet HTTP/1.1
   * connections.
   */
  cutIdle(): void;
  /** Ends everything. */
  cutAll(): void;
};

/**
 * Follows a server's connections. The server itself ends idle HTTP/2 sessions when it closes, and
 * waits for the rest.
 */
export function followSockets(server: Http2SecureServer): Sockets {
  const shaking = new Map<string, Socket>();
  const open = new Set<TLSSocket>();
  const busy = new Set<unknown>();
  let closing = false;
  server.on("connection", (socket: Socket) => {
    const name = nameOf(socket);
    shaking.set(name, socket);
    socket.once("close", () => shaking.delete(name));
  });
  server.on("secureConnection", (socket) => {
    shaking.delete(nameOf(socket));
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    if (closing) socket.destroy();
  });
  server.on("request", ({ socket }, response) => {
    busy.add(socket);
    response.once("close", () => busy.delete(socket));
  });
  return {
    cutIdle() {
      closing = true;
      for (const socket of shaking.values()) socket.destroy();
      for (const socket of open)
        if (socket.alpnProtocol !== "h2" && !busy.has(socket)) socket.destroy();
    },
    cutAll() {
      for (const socket of [...shaking.values(), ...open]) socket.destroy();
    },
  };
}

/**
 * A connection's name among those that are open: its handshake and what comes of it are two sockets
 * with one name.
 */
export function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Ends): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

type Ends = Pick<Socket, "remoteAddress" | "remotePort" | "localAddress" | "localPort">;
