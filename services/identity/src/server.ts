/**
 * Identity, the process that holds the principals: vaults, users and their devices, machines, and
 * the enrollment tokens and login codes that admit new ones. It exists so that one process, and
 * none of those that handle secrets, states which public key belongs to whom.
 *
 * It promises that a key becomes a machine or a device only by a proof bound to that key, that a
 * use is counted exactly once, and that its signed credentials live 60 seconds at most. It must
 * never see the seed of a token or a key, an envelope or a value, and never admit a machine before
 * policy has its scope.
 */
import { createClient } from "@connectrpc/connect";
import { followAnswerKey, followSigner, followTrust } from "@sallyport/evidence";
import { createForwarder } from "@sallyport/forward";
import { createOutbox, createReplayRecorder } from "@sallyport/outbox";
import { openDatabase } from "@sallyport/postgres";
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { reportStart } from "@sallyport/audit-events";
import { checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { forwardCallers, keyCallers } from "./callers.ts";
import type { IdentityConfig } from "./config.ts";
import { pickCredentialKey } from "./keys/credential-key.ts";
import { createPolicyScope } from "./policy.ts";
import { type ServiceParts, publicMethods } from "./public-methods.ts";
import { createReportSightings } from "./keys/report-sightings.ts";
import { createResolveKeys } from "./keys/resolve.ts";
import { createWatchRevocations } from "./keys/watch-revocations.ts";
import { startSweeping } from "./machines/sweep.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { IdentityConfig } from "./config.ts";

/** The dependencies that a test may replace: the clock, in Unix milliseconds. */
export type IdentityOverrides = { readonly clock?: () => number };

/**
 * Starts identity; resolves once it listens. Rejects when the keyset is not the pinned root's or
 * does not hold the credential key or the answer key. Disposing drains it.
 */
export async function startIdentity(
  config: IdentityConfig,
  { clock = Date.now }: IdentityOverrides = {},
): Promise<{ port: number } & AsyncDisposable> {
  const logger = createLogger({ service: "identity", level: config.logLevel });
  await using stack = new AsyncDisposableStack();
  const { keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const followed = { trust, logger };
  const credentials = stack.use(
    await followSigner(config.credentialKeys, pickCredentialKey, followed),
  );
  const answers = stack.use(await followAnswerKey(config.answerKeys, "identity", followed));
  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const { trustDomain } = config;
  const toPolicy = stack.use(
    connectPeer({ peer: "policy", url: config.policyUrl, tls, trustDomain }),
  );
  const toAudit = stack.use(connectPeer({ peer: "audit", url: config.auditUrl, tls, trustDomain }));
  const database = stack.use(
    openDatabase({ url: config.databaseUrl, applicationName: "sallyport-identity" }),
  );
  // Key look-ups have connections of their own: enrollments that wait for one token must not hold
  // up every request.
  const lookUps = stack.use(
    openDatabase({
      url: config.databaseUrl,
      applicationName: "sallyport-identity-keys",
      poolSize: 4,
    }),
  );
  const audit = createClient(AppendService, toAudit.transport);
  const outbox = stack.use(createOutbox({ database, audit, logger }));
  const parts: ServiceParts = {
    database,
    outbox,
    policy: createPolicyScope(toPolicy.transport),
    machineCap: config.machineCap,
    clock,
  };
  stack.use(startSweeping(parts, logger));
  const forwarder = createForwarder({
    trust,
    answerKey: answers.key,
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
    database,
    beforeMutation: () => outbox.ready(),
    afterCommit: (own) => outbox.drain(own),
    onReplay: createReplayRecorder("identity", outbox),
    methods: publicMethods(parts),
  });
  const keys = {
    resolveKeys: createResolveKeys({ database: lookUps, key: credentials.key, clock }),
    watchRevocations: createWatchRevocations({ database: lookUps }),
    reportSightings: createReportSightings({ database, clock }),
  };
  const server = stack.use(
    await serve({
      self: "identity",
      listen: config.listen,
      tls,
      trustDomain,
      routes: [
        route(KeyService, keyCallers, keys),
        route(ForwardService, forwardCallers, forwarder),
      ],
      dependencies: {
        postgres: () => database.ping(),
        policy: () => checkHealth(toPolicy.transport, "live"),
        audit: () => checkHealth(toAudit.transport, "live"),
      },
      notices: { outbox: () => outbox.checkRefused(), keyset: trust.checkEnd },
      logger,
    }),
  );
  const start = {
    emitter: "identity",
    config,
    port: server.port,
    keysetEpoch: trust.epoch,
    manifest,
  } as const;
  stack.use(reportStart(start, outbox.send, logger));
  const running = stack.move();
  return { port: server.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
