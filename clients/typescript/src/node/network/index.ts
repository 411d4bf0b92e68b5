/** The steps of a connection to a gateway, for the command that checks them. */
export type { Endpoint } from "./connection.ts";
export { type ForwardProxy, forwardProxyOf } from "./forward-proxy.ts";
export { transportSentence } from "../../core/transport-sentences.ts";
export { hostAndPort, openTunnel, secureOver } from "./tunnel.ts";
