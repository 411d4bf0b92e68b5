import type { Http2SecureServer, Http2Session } from "node:http2";
import { TLSSocket } from "node:tls";
import type { ConnectNodeAdapterOptions } from "@connectrpc/connect-node";
import type { Peer } from "./peer.ts";
import { peerNamed } from "./spiffe.ts";

/** The open connections of a server and who is at the other end of each. */
export type Sessions = {
  /**
   * Returns the peer whose certificate proved this request's connection, or undefined; never by
   * anything it says.
   */
  peerOf(request: NodeServerRequest): Peer | undefined;
  /**
   * Lets calls in flight finish and takes no new ones; what is left after that many milliseconds is
   * cut.
   */
  retire(graceMs: number): void;
};

type NodeServerRequest = Parameters<NonNullable<ConnectNodeAdapterOptions["contextValues"]>>[0];

type Proof = { readonly peer: Peer | undefined; readonly validToMs: number };

/** Follows the sessions of a server. */
export function followSessions(server: Http2SecureServer, trustDomain: string): Sessions {
  const open = new Set<Http2Session>();
  const proofs = new WeakMap<Http2Session, Proof>();
  server.on("session", (session) => {
    open.add(session);
    session.once("close", () => open.delete(session));
    session.on("error", () => undefined); // A peer that breaks off is told by its calls.
  });
  return {
    peerOf(request) {
      const session = "stream" in request ? request.stream.session : undefined;
      if (!session) return undefined;
      const known = proofs.get(session) ?? proofOf(session, trustDomain);
      proofs.set(session, known);
      // A connection must not outlive the certificate that proved it.
      return Date.now() < known.validToMs ? known.peer : undefined;
    },
    retire(graceMs) {
      const retiring = [...open];
      for (const session of retiring) session.close();
      setTimeout(() => {
        for (const session of retiring) session.destroy();
      }, graceMs).unref();
    },
  };
}

function proofOf(session: Http2Session, trustDomain: string): Proof {
  const { socket } = session;
  if (!(socket instanceof TLSSocket) || !socket.authorized)
    return { peer: undefined, validToMs: 0 };
  const { subjectaltname, valid_to: validTo } = socket.getPeerCertificate();
  return { peer: peerNamed(subjectaltname, trustDomain), validToMs: Date.parse(validTo) };
}
