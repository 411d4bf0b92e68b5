import { type ClientHttp2Stream, type Http2Session, constants } from "node:http2";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  type ConnectTransportOptions,
  Http2SessionManager,
  createConnectTransport,
} from "@connectrpc/connect-node";
import type { Peer } from "./peer.ts";
import { peerNamed, spiffeId } from "./spiffe.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** One connection to a peer, and whether it is still good for new calls. */
export type Connection = {
  readonly transport: Transport;
  /**
   * Returns true when new calls should have another connection: this one broke, is ending, or is
   * not to be relied on.
   */
  readonly worn: () => boolean;
  /**
   * Takes no new calls and ends with the last one in flight, which is cut after that many
   * milliseconds.
   */
  retire(graceMs: number): void;
  /** Ends it and every call on it. */
  close(): void;
};

/** The address of a connection, and the peer that must be there. */
export type Destination = {
  readonly peer: Peer;
  /** "https://host:port"; the host need not be in the peer's certificate, its SPIFFE id must. */
  readonly url: string;
  readonly trustDomain: string;
};

/** The largest message that a process reads from another, in bytes. */
export const maxMessageBytes = 4 * 1024 * 1024;

/**
 * The `maxSessionMemory` between our own processes: as many megabytes as Node 26 can
 * count, in 32 bits.
 *
 * Node takes what a stream has queued off a session's account when it is sent, but not when the
 * stream is reset before. The memory is free, the account stays; once it is past the limit (10 MB
 * by default), every further answer is reset with ENHANCE_YOUR_CALM, permanently. The limit is then
 * no bound on memory but a way for a caller that cancels calls to end a session that all share.
 * Memory is bounded by what is let in instead: the gateway's content memory and concurrency slots,
 * and `maxMessageBytes` for each message.
 */
export const unlimitedSessionMemory = 2 ** 32 - 1;

const connectMs = 5_000;
// Well within Node's default limit: a session would last until here even if the limit above were
// not heeded.
const mostLostBytes = 8 * 1024 * 1024;
// The end of a stream that its caller cancelled, or that was answered: all else says that the
// session is in trouble.
const orderlyEnds: readonly number[] = [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL];

type Sessions = NonNullable<
  Extract<ConnectTransportOptions, { httpVersion: "2" }>["sessionManager"]
>;

/**
 * Prepares a connection over HTTP/2 with mTLS; connects at the first call. A server that does not
 * prove to be the peer gets no request.
 */
export function openConnection(destination: Destination, material: TlsMaterial): Connection {
  const manager = createManager(destination, material);
  const watched = watch(manager);
  const transport = createConnectTransport({
    baseUrl: destination.url,
    httpVersion: "2",
    sessionManager: watched.sessions,
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
  });
  const close = (): void => manager.abort();
  return {
    transport,
    worn: watched.worn,
    retire(graceMs) {
      watched.finish();
      setTimeout(close, graceMs).unref();
    },
    close,
  };
}

function createManager(
  { peer, url, trustDomain }: Destination,
  material: TlsMaterial,
): Http2SessionManager {
  return new Http2SessionManager(
    url,
    { pingIntervalMs: 10_000, pingTimeoutMs: 3_000 },
    {
      ...material,
      minVersion: "TLSv1.3",
      maxSessionMemory: unlimitedSessionMemory,
      checkServerIdentity: (_host, { subjectaltname }) =>
        peerNamed(subjectaltname, trustDomain) === peer
          ? undefined
          : new Error(`the server's certificate does not name ${spiffeId(trustDomain, peer)}`),
    },
  );
}

type Watched = { readonly sessions: Sessions; worn: () => boolean; finish: () => void };

// Http2SessionManager would connect again automatically, as often as it is called. One connection
// is one session here, so that the opener of connections decides how often.
function watch(manager: Http2SessionManager): Watched {
  let session: Http2Session | undefined;
  let beganMs = Number.POSITIVE_INFINITY;
  let gone = false;
  let inTrouble = false;
  let lostBytes = 0;
  const follow = (stream: ClientHttp2Stream): void => {
    stream.once("aborted", () => (lostBytes += stream.writableLength));
    stream.once("close", () => (inTrouble ||= !orderlyEnds.includes(stream.rstCode)));
    if (session || !stream.session) return;
    session = stream.session;
    for (const event of ["goaway", "error", "close"]) session.once(event, () => (gone = true));
  };
  const sessions: Sessions = {
    authority: manager.authority,
    async request(...request) {
      if (gone) throw new ConnectError("the connection is gone", Code.Unavailable);
      beganMs = Math.min(beganMs, performance.now());
      const stream = await manager.request(...request).catch((error: unknown) => {
        gone = true;
        throw error;
      });
      follow(stream);
      return stream;
    },
    notifyResponseByteRead: (stream) => manager.notifyResponseByteRead(stream),
  };
  const isLate = (): boolean => !session && performance.now() - beganMs > connectMs;
  return {
    sessions,
    worn: () => gone || inTrouble || lostBytes >= mostLostBytes || isLate(),
    finish: () => session?.close(),
  };
}
