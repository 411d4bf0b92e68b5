import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import {
  type ClientHttp2Session,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  connect,
  createSecureServer,
} from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { createCa, issueEdgeCertificate } from "@sallyport/deploy/local";
import type { Endpoint } from "@sallyport/client";

/** The proxy's changes to calls; without an entry a call passes unchanged. */
export type Interference = {
  /** Changes the content of a request, framing included. */
  readonly request?: (path: string, content: Buffer) => Buffer;
  /** Sends a request twice, byte for byte, and gives the client the answer to the copy. */
  readonly replay?: (path: string) => boolean;
  /** Changes the headers of a reply in place. */
  readonly head?: (path: string, headers: IncomingHttpHeaders) => void;
  /** Changes the message of a reply. */
  readonly reply?: (path: string, message: Uint8Array) => Uint8Array;
};

/**
 * A man in the middle whose certificate the client trusts: it ends TLS on both sides and sees gRPC
 * calls in plain.
 */
export type TamperingProxy = AsyncDisposable & {
  /** Host and port to dial instead of the gateway's. */
  readonly address: string;
  readonly caFile: string;
  interference: Interference;
};

type Answer = {
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
  readonly trailers: IncomingHttpHeaders;
};

const frameHead = 5;

/** Starts a proxy in front of a gateway. */
export async function startTamperingProxy({ url, ca }: Endpoint): Promise<TamperingProxy> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-proxy-"));
  const issuer = await createCa({ dir: join(dir, "ca"), name: "sallyport tampering proxy" });
  const { certFile, keyFile } = await issueEdgeCertificate({
    ca: issuer,
    dir,
    names: ["localhost"],
  });
  let session = connect(url, { ca });
  // The gateway ends a session without requests, and a busy machine may be slow to send one.
  const upstream = (): ClientHttp2Session => {
    if (session.closed || session.destroyed) session = connect(url, { ca });
    return session;
  };
  const server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
  const proxy = {
    address: await listen(server),
    caFile: issuer.certFile,
    interference: {} as Interference,
    async [Symbol.asyncDispose]() {
      session.close();
      server.close();
      await once(server, "close");
      rmSync(dir, { recursive: true, force: true });
    },
  };
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    pass(upstream(), stream, headers, proxy.interference).catch((error: unknown) => {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  return proxy;
}

async function listen(server: Http2SecureServer): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  return `127.0.0.1:${address.port}`;
}

async function pass(
  upstream: ClientHttp2Session,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { request, replay, head, reply }: Interference,
): Promise<void> {
  const path = headers[":path"] ?? "";
  const received = await buffer(stream);
  const content = request?.(path, received) ?? received;
  const first = await call(upstream, headers, content);
  const answer = replay?.(path) ? await call(upstream, headers, content) : first;
  head?.(path, answer.headers);
  const changed =
    reply && answer.content.length > 0
      ? frame(reply(path, answer.content.subarray(frameHead)))
      : answer.content;
  send(stream, answer, changed);
}

async function call(
  upstream: ClientHttp2Session,
  headers: IncomingHttpHeaders,
  content: Buffer,
): Promise<Answer> {
  const request = upstream.request(withoutLength(headers));
  const trailers: IncomingHttpHeaders = {};
  request.on("trailers", (received: IncomingHttpHeaders) => Object.assign(trailers, received));
  const head = new Promise<IncomingHttpHeaders>((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
  request.end(content);
  const answered = await head;
  return { headers: answered, content: await buffer(request), trailers };
}

function send(stream: ServerHttp2Stream, { headers, trailers }: Answer, content: Buffer): void {
  const hasTrailers = Object.keys(trailers).length > 0;
  stream.respond(withoutLength(headers), { waitForTrailers: hasTrailers });
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(content);
}

function withoutLength(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const rest = { ...headers };
  delete rest["content-length"];
  return rest;
}

function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(frameHead);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
