/**
 * The secrets service stores projects, secrets and their versions as sealed envelopes. It exists so
 * that the data is apart from the keys: nothing here can open an envelope. It promises that a
 * version never changes once it is written, that a deleted secret is readable by no later request,
 * and that each envelope goes out with a slip for one request. It must never hold a key of an
 * envelope, see a value, or make a project or secret usable before policy knows its id.
 */
import {
  type MacKey,
  type Trust,
  followAnswerKey,
  followKeys,
  followTrust,
} from "@sallyport/evidence";
import { type ForwarderOptions, createForwarder } from "@sallyport/forward";
import { type Outbox, createOutbox, createReplayRecorder } from "@sallyport/outbox";
import { type Database, openDatabase } from "@sallyport/postgres";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { FetchService } from "@sallyport/proto/gen/sallyport/secrets/internal/v1/fetch_pb.ts";
import { reportStart } from "@sallyport/audit-events";
import { type Peer, type Route, checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { repeat } from "@sallyport/schedule";
import { createLogger } from "@sallyport/telemetry";
import { fetchCallers, forwardCallers } from "./callers.ts";
import type { SecretsConfig } from "./config.ts";
import { type Liveness, createLiveness } from "./directory-sync.ts";
import { type Peers, createPeers } from "./peers.ts";
import { createPurge } from "./purge.ts";
import { createFetch } from "./rpc/fetch.ts";
import { projectMethods } from "./rpc/projects.ts";
import { readableMethods } from "./rpc/readable.ts";
import { secretMethods } from "./rpc/secrets.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { SecretsConfig } from "./config.ts";

const settleMs = 10_000;
const purgeMs = 3_600_000;
const retryMs = 1_000; // At first: when all start together, policy may come last.

/** The parts that a test may replace: the clock, in milliseconds. */
export type SecretsOverrides = { readonly clock?: () => number };

/**
 * The parts of the routes. Writes hold a connection while crypto works, so reads have a pool of
 * their own.
 */
export type SecretsParts = {
  readonly reads: Database;
  readonly writes: Database;
  readonly outbox: Outbox;
  readonly trust: Trust;
  readonly answerKey: ForwarderOptions["answerKey"];
  readonly slipKeys: () => readonly MacKey[];
  readonly peers: Pick<Peers, "directory" | "authorization" | "roles" | "seal">;
  readonly liveness: Liveness;
  readonly clock: () => number;
};

/** Starts secrets; resolves once it listens. Disposing drains it. */
export async function startSecrets(
  config: SecretsConfig,
  { clock = Date.now }: SecretsOverrides = {},
): Promise<{ port: number } & AsyncDisposable> {
  const logger = createLogger({ service: "secrets", level: config.logLevel });
  await using stack = new AsyncDisposableStack();
  const { keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const answers = stack.use(await followAnswerKey(config.answerKeys, "secrets", { trust, logger }));
  const slips = stack.use(await followKeys(config.slipKeys, { logger }));
  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const { trustDomain, listen } = config;
  const connect = (peer: Peer, url: string) =>
    stack.use(connectPeer({ peer, url, tls, trustDomain })).transport;
  const open = (applicationName: string, poolSize: number) =>
    stack.use(openDatabase({ url: config.databaseUrl, applicationName, poolSize }));
  const reads = open("sallyport-secrets", 10);
  const writes = open("sallyport-secrets-writes", 5);
  const transports = {
    policy: connect("policy", config.policyUrl),
    crypto: connect("crypto", config.cryptoUrl),
    audit: connect("audit", config.auditUrl),
  };
  const peers = createPeers(transports);
  const outbox = stack.use(createOutbox({ database: reads, audit: peers.audit, logger }));
  const { directory } = peers;
  const liveness = createLiveness({ reads, writes, directory });
  const purge = createPurge({ writes, directory, outbox });
  stack.use(
    repeat({
      run: () => liveness.settleAll(),
      everyMs: settleMs,
      backoff: { firstMs: retryMs, longestMs: settleMs },
      log: {
        logger,
        failed: "policy could not be brought up to date; it is retried",
        recovered: "policy is brought up to date again",
      },
    }),
  );
  stack.use(
    repeat({
      run: purge,
      everyMs: purgeMs,
      backoff: { firstMs: retryMs, longestMs: purgeMs },
      log: { logger, failed: "a purge failed; it is retried", recovered: "purges work again" },
    }),
  );
  const routes = secretsRoutes(config, {
    reads,
    writes,
    outbox,
    trust,
    answerKey: answers.key,
    slipKeys: () => slips.current,
    peers,
    liveness,
    clock,
  });
  const dependencies = {
    database: () => reads.ping(),
    policy: () => checkHealth(transports.policy, "live"),
    crypto: () => checkHealth(transports.crypto, "live"),
    audit: () => checkHealth(transports.audit, "live"),
  };
  const notices = { outbox: () => outbox.checkRefused(), keyset: trust.checkEnd };
  // Last in, first out: calls drain before what they work with goes.
  const server = stack.use(
    await serve({
      self: "secrets",
      listen,
      tls,
      trustDomain,
      routes,
      dependencies,
      notices,
      logger,
    }),
  );
  const start = {
    emitter: "secrets",
    config,
    port: server.port,
    keysetEpoch: trust.epoch,
    manifest,
  } as const;
  stack.use(reportStart(start, outbox.send, logger));
  const running = stack.move();
  return { port: server.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Everything that secrets serves, with its callers. */
export function secretsRoutes(
  config: Pick<SecretsConfig, "publicNames" | "clockWindowSeconds">,
  { reads, writes, outbox, peers, liveness, trust, answerKey, slipKeys, clock }: SecretsParts,
): Route[] {
  const shown = { database: reads, outbox, peers, liveness, clock };
  const forwarder = createForwarder({
    trust,
    answerKey,
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
    database: writes,
    beforeMutation: () => outbox.ready(),
    afterCommit: (own) => outbox.drain(own),
    onReplay: createReplayRecorder("secrets", outbox),
    methods: [projectMethods(shown), secretMethods(shown), readableMethods(shown)],
  });
  return [
    route(FetchService, fetchCallers, createFetch({ database: reads, slipKeys, clock })),
    route(ForwardService, forwardCallers, forwarder),
  ];
}
