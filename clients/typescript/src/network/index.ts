/** The way to a gateway, step by step, for what checks it. */
export type { Endpoint } from "./connection.ts";
export { type ForwardProxy, forwardProxyOf } from "./forward-proxy.ts";
export { trustOf } from "./trust.ts";
export { hostAndPort, openTunnel } from "./tunnel.ts";
