/**
 * The owners' side of forwarding: answers the public requests that the gateway hands on.
 *
 * It exists so that no owner can forget a check. A request is proven again from its evidence, the
 * role table is asked, the body is decoded strictly, the handler runs, a change and the mark of its
 * digest commit together, and the outcome is signed with the owner's key. It must never take the
 * gateway's word for who signed, and must never sign an answer that holds more than the public may
 * know.
 */
export {
  type ForwardContext,
  type ForwardHandlers,
  type ForwardMethods,
  forwardMethod,
  forwardMethods,
} from "./forward-methods.ts";
export { type ForwarderOptions, type ReplayedRequest, createForwarder } from "./forwarder.ts";
export { pageLimit, pageOf, pageTokenInvalid } from "./page.ts";
export { type Caller, actorOf, callerOf, originOf, principalOf, recordOf } from "./records.ts";
