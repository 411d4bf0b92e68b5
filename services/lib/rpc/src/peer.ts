import {
  type ContextValues,
  type HandlerContext,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { CallOptions } from "./call.ts";
import { fail } from "./failure.ts";

/**
 * A process, proven by the certificate of its mTLS connection. The operator only asks for health
 * and metrics.
 */
export type Peer = (typeof peers)[number];

/** Every peer there is. */
export const peers = [
  "gateway",
  "identity",
  "policy",
  "secrets",
  "crypto",
  "audit",
  "operator",
] as const;

type Carrier = Pick<HandlerContext, "values">;

const peerKey = createContextKey<Peer | undefined>(undefined, {
  description: "the peer of the connection",
});
const callKey = createContextKey<CallOptions>(
  { requestId: "" },
  { description: "request id and time of the call" },
);

/** Context values of a call by that peer, or by one that proved nothing that we know. */
export function peerValues(peer: Peer | undefined): ContextValues {
  return createContextValues().set(peerKey, peer);
}

/**
 * Returns the peer that calls. Throws Failure PEER_NOT_ALLOWED where there is none, which no served
 * handler sees.
 */
export function peerOf(context: Carrier): Peer {
  const peer = knownPeerOf(context);
  if (peer === undefined) throw fail(Reason.PEER_NOT_ALLOWED);
  return peer;
}

/** Returns the peer that calls, or undefined. */
export function knownPeerOf({ values }: Carrier): Peer | undefined {
  return values.get(peerKey);
}

/** Returns the request id of the call, "req_…", that ties the logs of all processes together. */
export function requestIdOf({ values }: Carrier): string {
  return values.get(callKey).requestId;
}

/** Notes request id and time of a call in its context. */
export function setCallOptions({ values }: Carrier, options: CallOptions): void {
  values.set(callKey, options);
}

/** Returns what was noted; an empty id where nothing was. */
export function callOptionsOf({ values }: Carrier): CallOptions {
  return values.get(callKey);
}
