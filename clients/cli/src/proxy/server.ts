import { lstatSync, unlinkSync } from "node:fs";
import { type IncomingMessage, type ServerResponse, createServer as createHttp1 } from "node:http";
import { type Http2ServerRequest, type Http2ServerResponse, createServer as createHttp2 } from "node:http2";
import { type Server, type Socket, connect, createServer } from "node:net";
import { CliError } from "../failure.ts";
import type { ListenAddress } from "./address.ts";
import type { Answer } from "./exchange.ts";
import { type Handling, handle } from "./handle.ts";
import { isOtherUser } from "./peer-owner.ts";

/** A proxy that listens. */
export type ProxyServer = AsyncDisposable & {
  /** The address for tools: http://127.0.0.1:PORT, or http://localhost for a socket. */
  readonly url: string;
};

const preface = "PRI * HTTP/2";
const headMs = 10_000;

/**
 * Listens where told, for HTTP/1.1 and for HTTP/2 without TLS. A port is for this user's own tools: where the system
 * tells who connects, others are turned away. A socket has mode 0600. Throws LISTEN_FAILED.
 */
export async function startProxyServer(
  address: ListenAddress,
  handling: Omit<Handling, "authorities">,
): Promise<ProxyServer> {
  const authorities = new Set<string>(["localhost"]);
  const answering = { ...handling, authorities };
  const sockets = new Set<Socket>();
  const server = createServer(splitter(answering, sockets, address.kind === "port"));
  const url = await listen(server, address);
  if (address.kind === "port") {
    authorities.clear();
    const { port } = new URL(url);
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) authorities.add(`${host}:${port}`);
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

// Both versions of HTTP come to one port: the first bytes of a connection say which it is.
function splitter(handling: Handling, sockets: Set<Socket>, checkOwner: boolean) {
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
    if (checkOwner && isOtherUser(socket)) return void socket.destroy();
    socket.setTimeout(headMs, () => socket.destroy());
    socket.once("data", (first: Buffer) => {
      socket.setTimeout(0);
      socket.pause();
      socket.unshift(first);
      const version = preface.startsWith(first.toString("latin1").slice(0, preface.length)) ? http2 : http1;
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
  const answer = await handle({ method, path, authority, httpVersion, headers, body: request }, handling);
  request.resume(); // What was not read is left behind.
  return answer;
}

function writeHttp1(response: ServerResponse, { status, headers, body }: Answer): void {
  // What follows a refused body is not worth reading.
  const closing = status >= 400 ? { connection: "close" } : {};
  response.writeHead(status, { ...headers, "content-length": body.length, ...closing });
  response.end(body);
}

function writeHttp2(response: Http2ServerResponse, { status, headers, body, trailers }: Answer): void {
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
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const where = address.kind === "socket" ? address.path : `${address.host}:${address.port}`;
    throw new CliError("LISTEN_FAILED", `nothing can listen on ${where} (${code})`, { cause: error });
  }
  if (address.kind === "socket") return "http://localhost";
  const bound = server.address();
  const port = typeof bound === "object" && bound ? bound.port : 0;
  return `http://${address.host === "::1" ? "[::1]" : address.host}:${port}`;
}

async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeStale(path);
  const umask = process.umask(0o177); // From its first moment on nobody else may open it.
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
}

// A socket that nobody answers is left over from an earlier run; anything else is not ours to remove.
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error("a file that is no socket is there");
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    }).on("error", () => resolve(false));
  });
  if (answered) throw new Error("another program listens there");
  unlinkSync(path);
}
