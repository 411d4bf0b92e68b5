import { type Http2SecureServer, createSecureServer } from "node:http2";
import {
  type CertificateFiles,
  type TlsMaterial,
  listening,
  readTls,
  watchTls,
} from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import { type ConnectionOptions, guardConnections } from "../connections/connections.ts";
import { type RequestHandlerParts, handleRequest } from "./request-handler.ts";
import { type SessionTimeouts, endIdleSessions } from "../connections/idle-sessions.ts";
import { observeConnections } from "../observability/metrics.ts";
import { createOpenRequests } from "../limits/open-requests.ts";
import { followSockets } from "../connections/sockets.ts";
import { maxHeaderListBytes } from "../errors/http-refusals.ts";

/** The options of the public listener. */
export type ListenerOptions = Pick<
  RequestHandlerParts,
  "handlers" | "authenticate" | "addresses"
> & {
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificate: CertificateFiles;
  readonly connections: Pick<ConnectionOptions, "perAddress" | "opened" | "proxies">;
  readonly logger: Logger;
  /** Poll interval for a changed certificate, in milliseconds. */
  readonly certificatePollMs?: number | undefined;
  /** Time limits of clients where they differ from the defaults, as in tests. */
  readonly timeouts?: Partial<Timeouts> | undefined;
  /** Largest number of concurrent requests of one address. */
  readonly openRequestsPerAddress: number;
};

/** Time limits of clients, in milliseconds. */
export type Timeouts = SessionTimeouts & {
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
const defaultTimeouts: Timeouts = {
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
 * connections while it runs. Disposing shuts it down gracefully: it takes no new requests, answers
 * the open ones, and cuts the rest after 6 seconds.
 */
export async function openListener(
  options: ListenerOptions,
): Promise<{ port: number } & AsyncDisposable> {
  const { logger, certificate: files, certificatePollMs = defaultPollMs } = options;
  const certificate = readTls(files);
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const server = createServer(certificate, timeouts);
  endIdleSessions(server, timeouts);
  const connections = guardConnections(server, {
    ...options.connections,
    headerMs: timeouts.proxyHeaderMs,
    logger,
  });
  const sockets = followSockets(server);
  const draining = new AbortController();
  const requests = createOpenRequests(options.openRequestsPerAddress, timeouts.requestMs);
  const observed = observeConnections(connections);
  const parts: RequestHandlerParts = {
    handlers: options.handlers,
    authenticate: options.authenticate,
    addresses: options.addresses,
    sourceOf: connections.sourceOf,
    draining: draining.signal,
    answerMs: timeouts.answerMs,
    onFault: (error) => logger.error({ err: error }, "a request was not answered"),
  };
  server.on("request", (request, response) => {
    const source = connections.sourceOf(request.socket);
    if (requests.take(source, request, response)) void handleRequest(request, response, parts);
  });
  server.on("tlsClientError", (error) => logger.debug({ err: error }, "handshake refused"));
  const port = await listening(server, options.listen);
  const renew = (changed: TlsMaterial): void => {
    server.setSecureContext(secureContext(changed));
    logger.info("took up a changed certificate");
  };
  const watch = watchTls(files, certificate, renew, certificatePollMs);
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

function secureContext(certificate: TlsMaterial) {
  return { ...certificate, minVersion: "TLSv1.3" } as const;
}

function createServer(certificate: TlsMaterial, { headersMs }: Timeouts): Http2SecureServer {
  // Options of HTTP/1.1 that Node accepts here too; its types do not say so.
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
