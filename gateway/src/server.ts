import { fromBinary } from "@bufbuild/protobuf";
import { EvidenceError, loadTrust } from "@sallyport/evidence";
import { KeysetSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { Failure, connectPeer } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import type { GatewayConfig } from "./config.ts";
import { openEdge } from "./edge.ts";
import { publicFailureOf } from "./errors.ts";
import { addressRate, createAddressLimiter, newKeyRate } from "./limits.ts";
import { type PeerTransports, createPeers } from "./peers.ts";
import { createRefusalLog } from "./refusals.ts";
import { type RefusalListener, type Verdict, createPublicHandlers } from "./router.ts";
import { type ArrivedRequest, type ChecklistParts, type Progress, verifyArrived } from "./verify/checklist.ts";
import { createKeyCache } from "./verify/credentials.ts";
import { connectNonces } from "./verify/nonces.ts";
import { watchRevocations } from "./verify/revocations.ts";

export type { GatewayConfig } from "./config.ts";

/** What a test may replace: the clock (milliseconds) and the ways to the peers. */
export type GatewayOverrides = { readonly clock?: () => number; readonly transports?: PeerTransports };

/** Starts the gateway; resolves once it listens and its nonce store remembers. Disposing drains it. */
export async function startGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): Promise<{ port: number } & AsyncDisposable> {
  const clock = overrides.clock ?? Date.now;
  const logger = createLogger({ service: "gateway", level: config.logLevel ?? "info" });
  const stack = new AsyncDisposableStack();
  const peers = createPeers(overrides.transports ?? connectPeers(config, stack));
  loadTrust(config.keyset, config.rootFingerprint, clock()); // A keyset that clients would refuse stops the start.
  const keys = createKeyCache(peers.keys, clock);
  const nonces = stack.use(connectNonces(config.redisUrl, config.clockWindowSeconds));
  const refusals = stack.use(createRefusalLog(peers.append, logger));
  stack.use(watchRevocations(peers.keys, keys));
  await nonces.ready();
  const checklist: ChecklistParts = {
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
    addresses: createAddressLimiter(addressRate, clock),
    newKeyAddresses: createAddressLimiter(newKeyRate, clock),
    keys,
    nonces,
  };
  const logRefusal: RefusalListener = (error, requestId) => {
    const expected = error instanceof Failure || error instanceof EvidenceError;
    logger[expected ? "info" : "error"]({ err: error, request_id: requestId }, "refused");
  };
  const handlers = createPublicHandlers({ peers, keyset: fromBinary(KeysetSchema, config.keyset), clock }, logRefusal);
  const edge = stack.use(
    await openEdge({
      listen: config.listen,
      certFile: config.edgeCertFile,
      keyFile: config.edgeKeyFile,
      handlers,
      judge: (request, requestId) => judge(request, requestId, checklist, refusals),
    }),
  );
  logger.info({ port: edge.port }, "listening");
  return { port: edge.port, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function connectPeers(config: GatewayConfig, stack: AsyncDisposableStack): PeerTransports {
  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const connect = (peer: "identity" | "policy" | "secrets" | "crypto" | "audit", url: string) => {
    const connection = connectPeer({ peer, url, tls, trustDomain: config.trustDomain });
    stack.defer(() => connection.close());
    return connection.transport;
  };
  return {
    identity: connect("identity", config.identityUrl),
    policy: connect("policy", config.policyUrl),
    secrets: connect("secrets", config.secretsUrl),
    crypto: connect("crypto", config.cryptoUrl),
    audit: connect("audit", config.auditUrl),
  };
}

async function judge(
  request: ArrivedRequest,
  requestId: string,
  checklist: ChecklistParts,
  refusals: { note(refused: { sourceIp: string; reason: Failure["reason"]; progress: Progress }): void },
): Promise<Verdict> {
  const progress: Progress = {};
  try {
    return { kind: "verified", requestId, request: await verifyArrived(request, checklist, progress) };
  } catch (error) {
    refusals.note({ sourceIp: request.sourceIp, reason: publicFailureOf(error).reason, progress });
    return { kind: "refused", requestId, error };
  }
}
