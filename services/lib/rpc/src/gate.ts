import type { HandlerContext } from "@connectrpc/connect";
import { isId, newId } from "@sallyport/proto/ids";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Logger, noSpan } from "@sallyport/telemetry";
import { requestIdHeader } from "./call.ts";
import { methodPath } from "@sallyport/proto/names/method-path";
import type { CallerCheck } from "./callers.ts";
import { fail, nameOf } from "./failure.ts";
import { concludeServed } from "./measure.ts";
import { knownPeerOf, setCallOptions } from "./peer.ts";
import { toConnectError } from "./translate.ts";

/**
 * Makes the gate in front of every method: a peer that its caller table does not name is refused
 * with PEER_NOT_ALLOWED before a byte of its message is read. Notes request id and time of the call
 * for all behind it.
 */
export function createGate(
  mayCall: CallerCheck,
  logger: Logger,
): (context: HandlerContext) => void {
  return (context) => {
    const given = context.requestHeader.get(requestIdHeader);
    const requestId = given !== null && isId("req", given) ? given : newId("req");
    setCallOptions(context, { requestId, timeoutMs: context.timeoutMs() });
    const peer = knownPeerOf(context);
    if (mayCall(context.method, peer)) return;
    const refusal = fail(Reason.PEER_NOT_ALLOWED);
    const rpc = methodPath(context.method);
    logger.warn({ request_id: requestId, peer, rpc, reason: nameOf(refusal.reason) }, "refused");
    concludeServed(noSpan, rpc, performance.now(), refusal);
    throw toConnectError(refusal, requestId);
  };
}
