import { type IncomingMessage, createServer as createHttpServer } from "node:http";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import type { Duplex } from "node:stream";

/** Something between a client and a server that passes bytes on, until it loses connections. */
export type Forwarder = AsyncDisposable & {
  readonly port: number;
  /** How many connections it took. */
  readonly connections: () => number;
  /**
   * Loses every connection of before as a link does that drops packets: nothing passes and nobody
   * is told. New ones work.
   */
  silence(): void;
};

/** Passes every connection on to a port of this computer. */
export async function startForwarder(target: number): Promise<Forwarder> {
  const links = createLinks();
  const server = createServer((inner) => links.join(inner, connect(target, "127.0.0.1")));
  return listening(server, links);
}

/** A proxy of HTTP CONNECT, and what it was asked. */
export type ConnectProxy = Forwarder & {
  /** The `host:port` of each CONNECT, with its proxy-authorization if it had one. */
  readonly asked: readonly string[];
};

/**
 * How a proxy answers: with 200 and a tunnel, unless it says another status, or wants credentials.
 */
export type ProxyManners = {
  readonly status?: number;
  /** What proxy-authorization has to be; 407 without. */
  readonly authorization?: string;
};

/** Starts a proxy that opens tunnels. For it, every name is this computer. */
export async function startConnectProxy(manners: ProxyManners = {}): Promise<ConnectProxy> {
  const links = createLinks();
  const asked: string[] = [];
  const server = createHttpServer((_, response) => void response.writeHead(405).end());
  server.on("connect", (request: IncomingMessage, inner: Duplex) => {
    const { url = "" } = request;
    const given = request.headers["proxy-authorization"];
    asked.push(given === undefined ? url : `${url} ${given}`);
    const isAllowed = manners.authorization === undefined || manners.authorization === given;
    const status = isAllowed ? (manners.status ?? 200) : 407;
    if (status !== 200) {
      inner.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const outer = connect(Number(url.split(":").at(-1)), "127.0.0.1", () => {
      inner.write("HTTP/1.1 200 Connection established\r\n\r\n");
      links.join(inner, outer);
    });
    outer.on("error", () => inner.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  });
  return { ...(await listening(server, links)), asked };
}

type Links = {
  readonly join: (inner: Duplex, outer: Socket) => void;
  readonly silence: () => void;
  readonly end: () => void;
  readonly count: () => number;
};

function createLinks(): Links {
  const open = new Set<() => void>();
  const ends = new Set<Duplex>();
  let count = 0;
  return {
    count: () => count,
    join(inner, outer) {
      count += 1;
      let isSilent = false;
      open.add(() => (isSilent = true));
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        ends.add(from);
        from.on("data", (chunk: Buffer) => isSilent || to.write(chunk));
        from.on("close", () => isSilent || to.destroy());
        from.on("error", () => from.destroy());
      }
    },
    silence() {
      for (const lose of open) lose();
      open.clear();
    },
    end() {
      for (const end of ends) end.destroy();
    },
  };
}

async function listening(server: Server, links: Links): Promise<Forwarder> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: links.count,
    silence: links.silence,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      links.end();
      await closed;
    },
  };
}
