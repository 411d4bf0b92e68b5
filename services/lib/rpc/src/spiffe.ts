import { type Peer, peers } from "./peer.ts";

/** Returns the SPIFFE id of a peer. */
export function spiffeId(trustDomain: string, peer: Peer): string {
  return `spiffe://${trustDomain}/${peer}`;
}

/**
 * Returns the peer that a certificate names, or undefined. `subjectAltName` is the text that Node
 * makes of the extension; it must hold exactly one URI (SPIFFE X.509-SVID §2), the id of a known
 * peer in this trust domain.
 *
 * Security: Node quotes names that hold characters with which one name could pose as two; a text
 * with a quote is refused whole.
 */
export function peerNamed(
  subjectAltName: string | undefined,
  trustDomain: string,
): Peer | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName.split(", ").filter((name) => name.startsWith("URI:"));
  if (uris.length !== 1) return undefined;
  return peers.find((peer) => uris[0] === `URI:${spiffeId(trustDomain, peer)}`);
}
