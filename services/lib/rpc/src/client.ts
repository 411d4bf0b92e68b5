import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { newId } from "@sallyport/proto/ids";
import { type OpenSpan, currentTraceparent, inSpan, traceparentHeader } from "@sallyport/telemetry";
import {
  currentRequestId,
  defaultTimeoutMs,
  remainingMs,
  requestIdHeader,
  timeoutHeader,
} from "./call.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import { type Destination, openConnection } from "./connection.ts";
import { createConnections } from "./connections.ts";
import { concludeCalled, spansOf } from "./measure.ts";
import { outlast } from "./patience.ts";
import { type TlsFiles, type TlsMaterial, readTls, watchTls } from "./tls-files.ts";
import { failureOf } from "./translate.ts";

/** Whom to call, where, and how to prove who is who. */
export type PeerOptions = Destination & {
  readonly tls: TlsFiles;
  /** The interval of looks for changed TLS files, in milliseconds. */
  readonly tlsPollMs?: number;
};

/** A way to a peer, for createClient; closing it ends the connection and every call on it. */
export type PeerConnection = { readonly transport: Transport; close(): void } & AsyncDisposable;

// The time that a peer has beyond the deadline in the header, which its own calls keep, before the
// call is cut.
const graceMs = 1_000;

/**
 * Prepares calls to a peer over HTTP/2 with mTLS; connects at the first call, and again when the
 * connection is worn or the TLS files changed. A server that does not prove to be that peer gets no
 * request. Calls inherit request id and deadline of the call being served, else they have 5
 * seconds; streams have no deadline unless given one. A deadline ends the wait and not the call,
 * which goes on for 5 seconds at least. Throws when the files cannot be read.
 */
export function connectPeer(options: PeerOptions): PeerConnection {
  let material = readTls(options.tls);
  const connections = createConnections(() => openConnection(options, material));
  const renew = (changed: TlsMaterial): void => {
    material = changed;
    connections.renew();
  };
  const watch = watchTls(options.tls, material, renew, options.tlsPollMs);
  const close = (): void => {
    watch[Symbol.dispose]();
    connections.close();
  };
  return {
    transport: measured(inheriting(connections.transport), options.url),
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}

// An interceptor sees a call after its timer was set, so what a call inherits is added in front of
// the transport.
function inheriting(transport: () => Transport): Transport {
  return {
    unary(method, signal, timeoutMs, header, message, values) {
      const waitMs = boundedMs(timeoutMs ?? defaultTimeoutMs) ?? defaultTimeoutMs;
      const told = identified(header);
      told.set(timeoutHeader, String(waitMs));
      const call = (cut: AbortSignal) =>
        transport().unary(method, cut, undefined, told, message, values);
      return outlast(call, { signal, waitMs }, Math.max(waitMs, defaultTimeoutMs) + graceMs);
    },
    stream: (method, signal, timeoutMs, header, message, values) =>
      transport().stream(method, signal, boundedMs(timeoutMs), identified(header), message, values),
  };
}

// A call is a span while its trace is recorded, and is measured always. Streams are neither: they
// live for weeks.
function measured(transport: Transport, url: string): Transport {
  const { hostname, port } = new URL(url);
  const server = { "server.address": hostname, "server.port": Number(port === "" ? 443 : port) };
  const spanOf = spansOf("client", server);
  return {
    unary(method, ...rest) {
      const path = methodPath(method);
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
