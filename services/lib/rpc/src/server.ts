import { type Http2ServerRequest, createSecureServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { ListenAddress } from "@sallyport/config";
import { type Logger, inCallersTrace, traceparentHeader } from "@sallyport/telemetry";
import { createBoundary } from "./boundary.ts";
import { certificateNotice } from "./certificate-ends.ts";
import { type Route, createCallerCheck } from "./callers.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { maxMessageBytes, unlimitedSessionMemory } from "./connection.ts";
import { fail } from "./failure.ts";
import { createGate } from "./gate.ts";
import { type Dependencies, type Notices, healthRoute } from "./health.ts";
import { createMetricsEndpoint } from "./metrics-endpoint.ts";
import { listening } from "./listening.ts";
import { type Peer, peerValues } from "./peer.ts";
import { type Sessions, followSessions } from "./sessions.ts";
import { spiffeId } from "./spiffe.ts";
import { type TlsFiles, type TlsMaterial, readTls, watchTls } from "./tls-files.ts";
import { createValidation } from "./validation.ts";

/** The options of serving: what, as which process, and at which address. */
export type ServeOptions = {
  readonly self: Peer;
  readonly listen: ListenAddress;
  readonly tls: TlsFiles;
  readonly trustDomain: string;
  readonly routes: readonly Route[];
  /** The dependencies that must answer for the process to be ready, by name. */
  readonly dependencies: Dependencies;
  /**
   * Notices that are shown beside them and do not affect serving; `certificates` is added: the ends
   * of the TLS files.
   */
  readonly notices?: Notices;
  readonly logger: Logger;
  /** The interval of looks for changed TLS files, in milliseconds. */
  readonly tlsPollMs?: number;
  /** The time for calls in flight to finish while draining, in milliseconds (6,000). */
  readonly drainMs?: number;
};

// More than a gateway processes concurrently, with its look-ups. Calls beyond that wait with the
// peer.
const maxConcurrentStreams = 256;
const unreadMs = 500;
const retireMs = 30_000;
const defaultDrainMs = 6_000; // Longer than the default deadline of a call.

/**
 * Serves the routes over HTTP/2 with mTLS, Connect and gRPC, and beside them grpc.health.v1 and the
 * metrics of the process to the operator. A method's caller table is checked before its message is
 * read, then the message's bounds, then the handler runs, in its caller's trace; only failures get
 * out. Disposing takes no new calls, ends streams, lets the others finish, and cuts what remains
 * after `drainMs`. Changed TLS files are taken up while running. Rejects when the files or the
 * address cannot be used.
 */
export async function serve(options: ServeOptions): Promise<{ port: number } & AsyncDisposable> {
  const { self, logger, trustDomain } = options;
  const material = readTls(options.tls);
  const server = createSecureServer({
    ...contextOptions(material),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["h2"],
    maxSessionMemory: unlimitedSessionMemory,
    settings: { maxConcurrentStreams, enablePush: false },
  });
  const sessions = followSessions(server, trustDomain);
  const stop = new AbortController();
  const cut = new AbortController();
  const handler = createHandler(options, sessions, stop.signal, cut.signal);
  const metrics = createMetricsEndpoint((request) => sessions.peerOf(request), logger);
  server.on("request", (request, response) => {
    releaseUnread(request);
    if (metrics(request, response)) return;
    inCallersTrace(request.headers[traceparentHeader], () => handler(request, response));
  });
  server.on("tlsClientError", (error) => logger.debug({ err: error }, "handshake refused"));
  const port = await listening(server, options.listen);
  const renew = (changed: TlsMaterial): void => {
    server.setSecureContext(contextOptions(changed));
    sessions.retire(retireMs);
    logger.info("took up changed certificates");
  };
  const watch = watchTls(options.tls, material, renew, options.tlsPollMs);
  logger.info({ port, peer: spiffeId(trustDomain, self) }, "listening");
  const drain = async (): Promise<void> => {
    watch[Symbol.dispose]();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    stop.abort(fail(Reason.DEPENDENCY_UNAVAILABLE));
    const drainMs = options.drainMs ?? defaultDrainMs;
    sessions.retire(drainMs);
    const timer = setTimeout(() => cut.abort(), drainMs).unref();
    await closed;
    clearTimeout(timer);
    logger.info("stopped");
  };
  let drained: Promise<void> | undefined;
  return { port, [Symbol.asyncDispose]: () => (drained ??= drain()) };
}

// A peer that was answered before its whole message was read could keep the stream, and with it a
// drain, open. It gets the time to read the answer: a reset overtakes what is not sent yet.
function releaseUnread(request: Http2ServerRequest): void {
  request.stream.once("wantTrailers", () => {
    if (!request.complete) setTimeout(() => request.stream.destroy(), unreadMs).unref();
  });
}

function contextOptions(material: TlsMaterial) {
  return { ...material, minVersion: "TLSv1.3" } as const;
}

function createHandler(
  { routes, dependencies, notices, tls, logger }: ServeOptions,
  sessions: Sessions,
  draining: AbortSignal,
  shutdownSignal: AbortSignal,
) {
  const certificates = certificateNotice([
    { file: tls.certFile, kind: "chain" },
    { file: tls.caFile, kind: "authorities" },
  ]);
  const all = [...routes, healthRoute(dependencies, draining, { ...notices, certificates })];
  return connectNodeAdapter({
    grpcWeb: false,
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
    shutdownSignal,
    contextValues: (request) => peerValues(sessions.peerOf(request)),
    requestGate: createGate(createCallerCheck(all), logger),
    interceptors: [
      createBoundary(logger, draining),
      createValidation(all.map(({ service }) => service)),
    ],
    routes: (router) => all.forEach(({ register }) => register(router)),
  });
}
