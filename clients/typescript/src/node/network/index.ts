/** The way to a gateway, step by step, for what checks it. */
export type { Endpoint } from "./connection.ts";
export { type ForwardProxy, forwardProxyOf } from "./forward-proxy.ts";
export { transportSentence } from "../../core/transport-sentences.ts";
export { hostAndPort, openTunnel, secureOver } from "./tunnel.ts";
