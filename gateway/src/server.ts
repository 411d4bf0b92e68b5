/*
 * The gateway is the public face of a deployment and the only process that clients reach. It exists
 * so that no service behind it faces the internet: it authenticates each request, admits it once,
 * within limits, and passes it on with the evidence that the next process verifies again. It
 * promises that nothing of a request reaches a service before every step of the checklist
 * (verification/checklist.ts) held, that a request is admitted at most once, and that every public
 * error is one of ours. It must never hold a key that opens a secret, reach a database, decide who
 * may read, or act on a message that it decoded instead of the bytes that were signed.
 */
import { followTrust } from "@sallyport/evidence";
import { auditSink, reportStart } from "@sallyport/audit-events";
import { certificateNotice, connectPeer } from "@sallyport/rpc";
import { type Logger, createLogger } from "@sallyport/telemetry";
import type { GatewayConfig } from "./config.ts";
import { type Timeouts, openListener } from "./listener/listener.ts";
import { createAuthenticate } from "./admission/authenticate.ts";
import { type Rates, ratesOf } from "./limits/rates.ts";
import { counted, observeHeld } from "./observability/metrics.ts";
import { createAccessLog } from "./observability/access-log.ts";
import { type PeerTransports, createPeers } from "./forwarding/peers.ts";
import { createConcurrencyLimiter } from "./limits/concurrency-limiter.ts";
import { createContentMemory } from "./limits/content-memory.ts";
import { serveProbe } from "./observability/probe.ts";
import { createRefusalLog } from "./admission/refusal-log.ts";
import { createPublicHandlers } from "./forwarding/router.ts";
import { createLastSeen } from "./admission/last-seen.ts";
import { createSourceBuckets } from "./limits/source-buckets.ts";
import type { ChecklistParts } from "./verification/checklist.ts";
import { createKeyCache } from "./verification/key-cache.ts";
import { connectNonces } from "./verification/nonces.ts";
import { watchRevocations } from "./verification/revocations.ts";

const connectionBurstSeconds = 8;
const mebibyte = 1024 * 1024;
const manifest = new URL("../package.json", import.meta.url);

export type { GatewayConfig } from "./config.ts";

/**
 * Replacements for tests: clock and interval of the look for a new certificate (milliseconds),
 * transports to the peers, limits, timeouts, logger.
 */
export type GatewayOverrides = {
  readonly clock?: () => number;
  readonly transports?: PeerTransports | undefined;
  readonly rates?: Rates;
  readonly certificatePollMs?: number;
  readonly timeouts?: Partial<Timeouts>;
  readonly logger?: Logger;
};

/** A running gateway: the public port, and the probe's when it is served. */
export type Gateway = {
  readonly port: number;
  readonly probePort: number | undefined;
} & AsyncDisposable;

/**
 * Starts the gateway; resolves once it listens and its nonce store remembers. Disposing drains it.
 */
export async function startGateway(
  config: GatewayConfig,
  overrides: GatewayOverrides = {},
): Promise<Gateway> {
  const { clock = Date.now } = overrides;
  const logger = overrides.logger ?? createLogger({ service: "gateway", level: config.logLevel });
  await using stack = new AsyncDisposableStack();
  // A keyset that clients would refuse stops the start.
  const { keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const transports = overrides.transports ?? connectPeers(config, stack);
  const peers = createPeers(transports);
  const nonces = stack.use(connectNonces(config.redisUrl, config.clockWindowSeconds));
  const refusals = stack.use(createRefusalLog(peers.append, logger));
  const lastSeen = stack.use(createLastSeen(peers.keys, clock, logger));
  const steady = (): number => performance.now();
  const keys = createKeyCache(peers.keys, { time: clock, steady });
  stack.use(watchRevocations(peers.keys, keys));
  await nonces.ready();
  const { rates = ratesOf(config) } = overrides;
  const limiters = createLimiters(rates, steady);
  const concurrency = createConcurrencyLimiter(config, steady, logger);
  const memory = createContentMemory(config.contentMemoryMib * mebibyte);
  stack.use(observeHeld({ ...limiters, keys, concurrency, memory }));
  const { probeListen } = config;
  const notices = {
    keyset: trust.checkEnd,
    edge: certificateNotice([{ file: config.edgeCertFile, kind: "chain" }], clock),
  };
  const probe =
    probeListen &&
    stack.use(await serveProbe(probeListen, config, transports, nonces, logger, notices));
  const edge = stack.use(
    await openListener({
      listen: config.listen,
      connections: connectionsOf(config, steady),
      certificate: { certFile: config.edgeCertFile, keyFile: config.edgeKeyFile },
      handlers: createPublicHandlers({ peers, trust, clock }, createAccessLog(logger)),
      authenticate: createAuthenticate(
        checklistOf(config, { keys, nonces, clock, memory, concurrency, ...limiters }, rates),
        refusals,
        lastSeen,
      ),
      addresses: limiters.addresses,
      logger,
      certificatePollMs: overrides.certificatePollMs,
      timeouts: overrides.timeouts,
      openRequestsPerAddress: config.openRequestsPerAddress,
    }),
  );
  const start = {
    emitter: "gateway",
    config,
    port: edge.port,
    keysetEpoch: trust.epoch,
    manifest,
  } as const;
  stack.use(reportStart(start, auditSink(peers.append, logger), logger));
  logger.info({ port: edge.port }, "listening");
  const running = stack.move();
  return {
    port: edge.port,
    probePort: probe?.port,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function checklistOf(
  { publicNames, clockWindowSeconds }: GatewayConfig,
  parts: Omit<ChecklistParts, "authorities" | "windowSeconds" | "principalRates">,
  { principal }: Rates,
): ChecklistParts {
  const windowSeconds = clockWindowSeconds;
  return { ...parts, authorities: publicNames, windowSeconds, principalRates: principal };
}

function connectionsOf(
  { connectionsPerAddress, newConnectionsPerAddress: perSecond, proxies }: GatewayConfig,
  clock: () => number,
) {
  const rate = { perSecond, burst: perSecond * connectionBurstSeconds };
  return { perAddress: connectionsPerAddress, opened: createSourceBuckets(rate, clock), proxies };
}

function createLimiters({ address, newKey, lookUp }: Rates, clock: () => number) {
  return {
    addresses: counted("address", createSourceBuckets(address, clock)),
    newKeyAddresses: counted("new_key", createSourceBuckets(newKey, clock)),
    lookUpAddresses: counted("key_lookup", createSourceBuckets(lookUp, clock)),
  };
}

function connectPeers(config: GatewayConfig, stack: AsyncDisposableStack): PeerTransports {
  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const connect = (peer: Exclude<keyof PeerTransports, "keys">, url: string) => {
    const connection = stack.use(connectPeer({ peer, url, tls, trustDomain: config.trustDomain }));
    return connection.transport;
  };
  return {
    keys: connect("identity", config.identityUrl),
    identity: connect("identity", config.identityUrl),
    policy: connect("policy", config.policyUrl),
    secrets: connect("secrets", config.secretsUrl),
    crypto: connect("crypto", config.cryptoUrl),
    audit: connect("audit", config.auditUrl),
  };
}
