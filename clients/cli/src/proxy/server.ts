import { type IncomingMessage, type ServerResponse, createServer as createHttp1 } from "node:http";
import {
  type Http2ServerRequest,
  type Http2ServerResponse,
  createServer as createHttp2,
} from "node:http2";
import { type Server, type Socket, createServer } from "node:net";
import { CliError } from "../app/failure.ts";
import type { ListenAddress } from "./address.ts";
import type { Answer } from "./exchange.ts";
import { type Handling, handle } from "./handle.ts";
import { isOwnConnection } from "./own-connection.ts";
import { drawSecret } from "./secret.ts";
import { listenOnSocket } from "./socket.ts";

/** A proxy that listens. */
export type ProxyServer = AsyncDisposable & {
  /** The address for tools: http://127.0.0.1:PORT, or http://localhost for a socket. */
  readonly url: string;
  /** The secret that every request to a port has to show; undefined for a socket. */
  readonly secret: string | undefined;
};

const preface = "PRI * HTTP/2";
const headMs = 10_000;

/**
 * Listens at the given address, for HTTP/1.1 and for HTTP/2 without TLS. A socket is protected from
 * other users by
 * its folder and by its mode. A port is open to all of them, so that every request has to show a
 * secret drawn here; on Linux connections of other users are besides closed at once. Throws
 * LISTEN_FAILED.
 */
export async function startProxyServer(
  address: ListenAddress,
  { forward }: Pick<Handling, "forward">,
): Promise<ProxyServer> {
  const authorities = new Set<string>(["localhost"]);
  const secret = address.kind === "port" ? drawSecret() : undefined;
  const sockets = new Set<Socket>();
  const server = createServer(splitter({ authorities, secret, forward }, sockets));
  const url = await listen(server, address);
  if (address.kind === "port") {
    authorities.clear();
    const { port } = new URL(url);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) authorities.add(`${host}:${port}`);
  }
  return {
    url,
    secret,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

// Both versions of HTTP come to one port: the first bytes of a connection say which it is.
function splitter(handling: Handling, sockets: Set<Socket>) {
  const http1 = createHttp1((request, response) => {
    void answerHttp(request, 1, handling).then((answer) => writeHttp1(response, answer));
  });
  const http2 = createHttp2((request, response) => {
    void answerHttp(request, 2, handling).then((answer) => writeHttp2(response, answer));
  });
  http2.on("session", (session) => session.on("error", () => undefined)); // A tool that breaks off.
  return (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    if (handling.secret !== undefined && !isOwnConnection(socket)) return void socket.destroy();
    socket.setTimeout(headMs, () => socket.destroy());
    socket.once("data", (first: Buffer) => {
      socket.setTimeout(0);
      socket.pause();
      socket.unshift(first);
      const version = preface.startsWith(first.toString("latin1").slice(0, preface.length))
        ? http2
        : http1;
      version.emit("connection", socket);
      if (version === http1) socket.resume();
    });
  };
}

async function answerHttp(
  request: IncomingMessage | Http2ServerRequest,
  httpVersion: 1 | 2,
  handling: Handling,
): Promise<Answer> {
  const { headers, method = "", url: path = "" } = request;
  const authority = String(headers[":authority"] ?? headers.host ?? "");
  const answer = await handle(
    { method, path, authority, httpVersion, headers, body: request },
    handling,
  );
  request.resume(); // What was not read is left behind.
  return answer;
}

function writeHttp1(response: ServerResponse, { status, headers, body }: Answer): void {
  // The rest of the connection after a refused body is not read.
  const closing = status >= 400 ? { connection: "close" } : {};
  response.writeHead(status, { ...headers, "content-length": body.length, ...closing });
  response.end(body);
}

function writeHttp2(
  response: Http2ServerResponse,
  { status, headers, body, trailers }: Answer,
): void {
  const { stream } = response;
  // A status in headers counts for gRPC only when they end the stream (Trailers-Only), which Node's
  // own response never lets them do.
  if (body.length === 0 && Object.keys(trailers).length === 0) {
    if (!stream.destroyed) stream.respond({ ...headers, ":status": status }, { endStream: true });
    return;
  }
  response.writeHead(status, headers);
  if (Object.keys(trailers).length > 0) response.addTrailers(trailers);
  response.end(body);
}

async function listen(server: Server, address: ListenAddress): Promise<string> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", resolve);
  });
  try {
    if (address.kind === "socket") await listenOnSocket(server, address.path);
    else server.listen(address.port, address.host);
    await listening;
  } catch (error) {
    if (error instanceof CliError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const where = address.kind === "socket" ? address.path : `${address.host}:${address.port}`;
    throw new CliError("LISTEN_FAILED", `nothing can listen on ${where} (${code})`, {
      cause: error,
    });
  }
  if (address.kind === "socket") return "http://localhost";
  const bound = server.address();
  const port = typeof bound === "object" && bound ? bound.port : 0;
  return `http://${address.host === "::1" ? "[::1]" : address.host}:${port}`;
}
