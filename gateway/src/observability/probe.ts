import { type Notices, checkHealth, serve } from "@sallyport/rpc";
import type { Logger } from "@sallyport/telemetry";
import type { GatewayConfig } from "../config.ts";
import type { PeerTransports } from "../forwarding/peers.ts";
import type { NonceStore } from "../verification/nonces.ts";

/**
 * Serves grpc.health.v1 to our own processes and the operator, over mutual TLS and apart from the
 * public listener: "ready" while Redis and every peer answer.
 */
export function serveProbe(
  listen: NonNullable<GatewayConfig["probeListen"]>,
  config: Pick<GatewayConfig, "certFile" | "keyFile" | "caFile" | "trustDomain">,
  transports: PeerTransports,
  nonces: Pick<NonceStore, "ready">,
  logger: Logger,
  notices: Notices,
): Promise<{ port: number } & AsyncDisposable> {
  const { certFile, keyFile, caFile, trustDomain } = config;
  const alive = (peer: keyof PeerTransports) => () => checkHealth(transports[peer], "live");
  return serve({
    self: "gateway",
    listen,
    tls: { certFile, keyFile, caFile },
    trustDomain,
    routes: [],
    dependencies: {
      redis: () => nonces.ready(),
      identity: alive("identity"),
      policy: alive("policy"),
      secrets: alive("secrets"),
      crypto: alive("crypto"),
      audit: alive("audit"),
    },
    notices,
    logger,
  });
}
