import { type Http2SecureServer, createSecureServer } from "node:http2";
import type { Logger } from "@sallyport/telemetry";
import {
  type Certificate,
  type CertificateFiles,
  readCertificate,
  watchCertificate,
} from "./certificate.ts";
import { type ConnectionOptions, guardConnections } from "../connections/connections.ts";
import { createContentMemory } from "../limits/content-memory.ts";
import { type ExchangeParts, answer } from "./request-handler.ts";
import { type SessionPatience, endIdleSessions } from "../connections/idle-sessions.ts";
import { observeEdge } from "../observability/metrics.ts";
import { createOpenRequests } from "../limits/open-requests.ts";
import { followSockets } from "../connections/sockets.ts";
import { maxHeaderListBytes } from "../errors/http-refusals.ts";

/**
 * What the edge needs: where to listen, its certificate, the front's verdict, places and the
 * handlers behind it.
 */
export type EdgeOptions = Pick<ExchangeParts, "handlers" | "judge" | "places" | "addresses"> & {
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificate: CertificateFiles;
  readonly connections: Pick<ConnectionOptions, "perAddress" | "opened" | "proxies">;
  readonly logger: Logger;
  /** How often to look for a changed certificate, in milliseconds. */
  readonly certificatePollMs?: number | undefined;
  /** How long a client may take; a test has less time. */
  readonly patience?: Partial<Patience> | undefined;
  /** Memory for the contents of all open requests; a test has less. */
  readonly contentBytes?: number | undefined;
};

/** How long a client may take, in milliseconds. */
export type Patience = SessionPatience & {
  /** For the headers of an HTTP/1.1 request. */
  readonly headersMs: number;
  /** For the PROXY header of a load balancer. */
  readonly proxyHeaderMs: number;
  /** To read its answer. */
  readonly answerMs: number;
  /** For everything of one request. */
  readonly requestMs: number;
};

const defaultPollMs = 5_000;
// No client of ours waits for its answer for longer than 10 seconds.
const defaultPatience: Patience = {
  firstMs: 10_000,
  nextMs: 120_000,
  headersMs: 10_000,
  // The PROXY protocol (§2) asks for three seconds at least, in which a lost packet is sent again.
  proxyHeaderMs: 5_000,
  answerMs: 15_000,
  // Longer than content, work and answer may take one after the other.
  requestMs: 35_000,
};
const drainMs = 6_000; // Longer than a request may take.

/**
 * Opens the public HTTPS listener, HTTP/2 and HTTP/1.1. A changed certificate is taken up for new
 * connections while it runs. Disposing takes no new requests, answers the open ones, and cuts what
 * is left after 6 seconds.
 */
export async function openEdge(options: EdgeOptions): Promise<{ port: number } & AsyncDisposable> {
  const { logger, certificate: files, certificatePollMs = defaultPollMs } = options;
  const certificate = readCertificate(files);
  const patience = { ...defaultPatience, ...options.patience };
  const server = createServer(certificate, patience);
  endIdleSessions(server, patience);
  const connections = guardConnections(server, {
    ...options.connections,
    headerMs: patience.proxyHeaderMs,
    logger,
  });
  const sockets = followSockets(server);
  const draining = new AbortController();
  const memory = createContentMemory(options.contentBytes);
  // As many requests as connections: who has a fleet behind one address raises both.
  const requests = createOpenRequests(options.connections.perAddress, patience.requestMs);
  const observed = observeEdge(memory, connections);
  const parts: ExchangeParts = {
    handlers: options.handlers,
    judge: options.judge,
    places: options.places,
    addresses: options.addresses,
    sourceOf: connections.sourceOf,
    memory,
    draining: draining.signal,
    answerMs: patience.answerMs,
    onFault: (error) => logger.error({ err: error }, "a request was not answered"),
  };
  server.on("request", (request, response) => {
    const source = connections.sourceOf(request.socket);
    if (requests.take(source, request, response)) void answer(request, response, parts);
  });
  server.on("tlsClientError", (error) => logger.debug({ err: error }, "handshake refused"));
  const port = await listening(server, options.listen);
  const renew = (changed: Certificate): void => {
    server.setSecureContext(secureContext(changed));
    logger.info("took up a changed certificate");
  };
  const watch = watchCertificate(files, certificate, renew, certificatePollMs);
  const drain = async (): Promise<void> => {
    watch[Symbol.dispose]();
    observed[Symbol.dispose]();
    draining.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    sockets.cutIdle();
    const timer = setTimeout(() => sockets.cutAll(), drainMs);
    await closed;
    clearTimeout(timer);
  };
  return { port, [Symbol.asyncDispose]: drain };
}

function secureContext(certificate: Certificate) {
  return { ...certificate, minVersion: "TLSv1.3" } as const;
}

function createServer(certificate: Certificate, { headersMs }: Patience): Http2SecureServer {
  // What Node takes for HTTP/1.1 here too; its types do not say so.
  const http1 = {
    headersTimeout: headersMs,
    connectionsCheckingInterval: Math.ceil(headersMs / 5),
  };
  const server = createSecureServer({
    ...secureContext(certificate),
    ...http1,
    allowHTTP1: true,
    handshakeTimeout: 10_000,
    unknownProtocolTimeout: 5_000,
    maxHeaderListPairs: 100,
    maxSessionInvalidFrames: 100,
    streamResetBurst: 300,
    streamResetRate: 30,
    settings: {
      maxConcurrentStreams: 100,
      maxHeaderListSize: maxHeaderListBytes,
      enablePush: false,
    },
  });
  server.setTimeout(120_000);
  server.on("session", (session) => {
    session.on("error", () => undefined); // A client that breaks off is no fault of ours.
  });
  return server;
}

function listening(
  server: Http2SecureServer,
  { host, port }: EdgeOptions["listen"],
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string")
        reject(new Error("the server has no port"));
      else resolve(address.port);
    });
  });
}
