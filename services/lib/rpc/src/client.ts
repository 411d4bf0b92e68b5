import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { Http2SessionManager, createConnectTransport } from "@connectrpc/connect-node";
import { newId } from "@sallyport/proto/ids";
import { type OpenSpan, currentTraceparent, inSpan, traceparentHeader } from "@sallyport/telemetry";
import { currentRequestId, defaultTimeoutMs, remainingMs, requestIdHeader } from "./call.ts";
import { pathOf } from "./callers.ts";
import { concludeCalled, spansOf } from "./measure.ts";
import type { Peer } from "./peer.ts";
import { peerNamed, spiffeId } from "./spiffe.ts";
import { type TlsFiles, type TlsMaterial, readTls, watchTls } from "./tls-files.ts";
import { failureOf } from "./translate.ts";

/** Whom to call, where, and how to prove who is who. */
export type PeerOptions = {
  readonly peer: Peer;
  /** "https://host:port"; the host need not be in the peer's certificate, its SPIFFE id must. */
  readonly url: string;
  readonly tls: TlsFiles;
  readonly trustDomain: string;
  /** How often to look for changed TLS files, in milliseconds. */
  readonly tlsPollMs?: number;
};

/** A way to a peer, for createClient; closing it ends the connection and every call on it. */
export type PeerConnection = { readonly transport: Transport; close(): void } & AsyncDisposable;

/** The largest message that a process reads from another, in bytes. */
export const maxMessageBytes = 4 * 1024 * 1024;

const retiredConnectionMs = 30_000;

/**
 * Prepares calls to a peer over HTTP/2 with mTLS; connects at the first call. A server that does not prove to be that
 * peer gets no request. Calls inherit request id and deadline of the call being served, else they have 5 seconds; streams
 * have no deadline unless given one. Changed TLS files mean a new connection for new calls. Throws when the files cannot
 * be read.
 */
export function connectPeer(options: PeerOptions): PeerConnection {
  let material = readTls(options.tls);
  let current = openConnection(options, material);
  const retired = new Set<Http2SessionManager>();
  const retire = (manager: Http2SessionManager): void => {
    retired.add(manager);
    setTimeout(() => {
      retired.delete(manager);
      manager.abort();
    }, retiredConnectionMs).unref();
  };
  const renew = (changed: TlsMaterial): void => {
    material = changed;
    retire(current.manager);
    current = openConnection(options, material);
  };
  const watch = watchTls(options.tls, material, renew, options.tlsPollMs);
  const close = (): void => {
    watch[Symbol.dispose]();
    for (const manager of [current.manager, ...retired]) manager.abort();
  };
  return {
    transport: measured(
      inheriting(() => current.transport),
      options.url,
    ),
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}

function openConnection(
  { peer, url, trustDomain }: PeerOptions,
  material: TlsMaterial,
): { manager: Http2SessionManager; transport: Transport } {
  const manager = new Http2SessionManager(
    url,
    { pingIntervalMs: 10_000, pingTimeoutMs: 3_000 },
    {
      ...material,
      minVersion: "TLSv1.3",
      checkServerIdentity: (_host, { subjectaltname }) =>
        peerNamed(subjectaltname, trustDomain) === peer
          ? undefined
          : new Error(`the server's certificate does not name ${spiffeId(trustDomain, peer)}`),
    },
  );
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "2",
    sessionManager: manager,
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
  });
  return { manager, transport };
}

// An interceptor sees a call after its timer was set, so what a call inherits is added in front of the transport.
function inheriting(transport: () => Transport): Transport {
  return {
    unary: (method, signal, timeoutMs, header, message, values) =>
      transport().unary(
        method,
        signal,
        boundedMs(timeoutMs ?? defaultTimeoutMs),
        identified(header),
        message,
        values,
      ),
    stream: (method, signal, timeoutMs, header, message, values) =>
      transport().stream(method, signal, boundedMs(timeoutMs), identified(header), message, values),
  };
}

// A call is a span while its trace is recorded, and is measured always. Streams are neither: they live for weeks.
function measured(transport: Transport, url: string): Transport {
  const { hostname, port } = new URL(url);
  const server = { "server.address": hostname, "server.port": Number(port === "" ? 443 : port) };
  const spanOf = spansOf("client", server);
  return {
    unary(method, ...rest) {
      const path = pathOf(method);
      const begunMs = performance.now();
      const call = async (span: OpenSpan) => {
        try {
          const response = await transport.unary(method, ...rest);
          concludeCalled(span, path, begunMs);
          return response;
        } catch (error) {
          concludeCalled(span, path, begunMs, failureOf(error));
          throw error;
        }
      };
      return inSpan(spanOf(path), call);
    },
    stream: (...call) => transport.stream(...call),
  };
}

function boundedMs(timeoutMs: number | undefined): number | undefined {
  const remaining = remainingMs();
  if (remaining === undefined) return timeoutMs;
  if (remaining < 1) throw new ConnectError("no time is left for the call", Code.DeadlineExceeded);
  return Math.floor(Math.min(remaining, timeoutMs ?? remaining));
}

function identified(init: HeadersInit | undefined): Headers {
  const header = new Headers(init);
  if (!header.has(requestIdHeader)) header.set(requestIdHeader, currentRequestId() ?? newId("req"));
  const traceparent = currentTraceparent();
  if (traceparent !== undefined) header.set(traceparentHeader, traceparent);
  return header;
}
