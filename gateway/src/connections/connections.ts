import type { Http2SecureServer } from "node:http2";
import type { Socket } from "node:net";
import { plainAddress, rangesHave, sourceUnitOf } from "@sallyport/proto/address";
import type { Buckets } from "@sallyport/rate-limit";
import type { Logger } from "@sallyport/telemetry";
import { countLimit } from "../observability/metrics.ts";
import { createShares } from "../limits/address-shares.ts";
import { nameOf } from "./sockets.ts";
import { receiveProxyHeader } from "./receive-header.ts";

/** Options of accepting connections. */
export type ConnectionOptions = {
  /**
   * Largest number of open connections of one address; the limit of a /48 of IPv6 is eight times
   * that, and of all addresses together sixteen times.
   */
  readonly perAddress: number;
  /**
   * Rate limit of new connections of one address: a TLS handshake costs more than most requests.
   */
  readonly opened: Pick<Buckets, "take">;
  /**
   * Load balancers whose connections begin with a PROXY header: addresses and networks in CIDR
   * notation.
   */
  readonly proxies: readonly string[];
  /** Timeout of the PROXY header, in milliseconds. */
  readonly headerMs: number;
  readonly logger: Pick<Logger, "warn">;
};

/** The connections of a server, those in their handshake included. */
export type Connections = {
  /**
   * The address that a connection came from, behind a load balancer its client's; "0.0.0.0" once it
   * is gone.
   */
  readonly sourceOf: (socket: NamedSocket) => string;
  /** Returns the number of open connections. */
  open(): number;
};

type NamedSocket = Parameters<typeof nameOf>[0];

const nowhere = "0.0.0.0";

/**
 * Takes the server's connections from now on: before TLS begins, the PROXY header of a load
 * balancer is read, and a connection too many of its address, or too soon after others, is reset.
 * Security: a header is read from the given addresses alone, and from them every connection must
 * have one; from everyone else it is no TLS and refused as that.
 */
export function guardConnections(
  server: Http2SecureServer,
  options: ConnectionOptions,
): Connections {
  const [beginTls] = server.listeners("connection") as [(socket: Socket) => void];
  server.removeAllListeners("connection");
  const isProxy = rangesHave(options.proxies);
  const sources = createSources(options);
  const take = (socket: Socket, source: string): void => {
    if (sources.take(socket, source)) beginTls.call(server, socket);
    else socket.resetAndDestroy();
  };
  async function takeProxied(socket: Socket, peer: string): Promise<void> {
    try {
      const { source } = await receiveProxyHeader(socket, options.headerMs);
      take(socket, source === undefined ? peer : plainAddress(source));
    } catch (error) {
      options.logger.warn(
        { err: error, peer },
        "a load balancer's connection has no PROXY header to use",
      );
      socket.destroy();
    }
  }
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => undefined); // A client that disconnects is no fault of ours.
    const peer = plainAddress(socket.remoteAddress ?? nowhere);
    if (isProxy(peer)) void takeProxied(socket, peer);
    else take(socket, peer);
  });
  return { sourceOf: (socket) => sources.of(socket), open: () => sources.size() };
}

function createSources({ perAddress, opened }: Pick<ConnectionOptions, "perAddress" | "opened">) {
  const sources = new Map<string, string>();
  const shares = createShares(perAddress);
  const mayOpen = (unit: string): boolean => {
    const inTime = opened.take(unit) === 0;
    countLimit("connection_rate", inTime);
    return inTime;
  };
  return {
    of: (socket: NamedSocket): string => sources.get(nameOf(socket)) ?? nowhere,
    size: () => shares.taken(),
    take(socket: Socket, source: string): boolean {
      if (!mayOpen(sourceUnitOf(source))) return false;
      const giveBack = shares.take(source);
      countLimit("connections", giveBack !== undefined);
      if (!giveBack) return false;
      const name = nameOf(socket);
      sources.set(name, source);
      socket.once("close", () => {
        sources.delete(name);
        giveBack();
      });
      return true;
    },
  };
}
