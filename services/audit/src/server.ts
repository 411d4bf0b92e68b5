/**
 * Audit keeps the log: every process reports its events here, and crypto opens nothing before the
 * records of a read are committed. So what was read is known even where every other process is
 * stolen. It promises one order without a gap, each event once, and an answer after the commit only
 * (LOG.md). It must never change or remove a record, answer before a commit, take an emitter's
 * severity or clock for its own, or see a value.
 */

import { followAnswerKey, followSigner, followTrust } from "@sallyport/evidence";
import { createForwarder, forwardMethods } from "@sallyport/forward";
import {
  AppendService,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { AuditService } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { reportStart } from "@sallyport/audit-events";
import { route, serve } from "@sallyport/rpc";
import { type Logger, createLogger } from "@sallyport/telemetry";
import { acceptEvent } from "./log/accept.ts";
import { createRecordBudget } from "./log/budget.ts";
import { appendCallers, forwardCallers } from "./callers.ts";
import type { AuditConfig } from "./config.ts";
import { pickLogKey } from "./log/key.ts";
import { appendService } from "./rpc/append.ts";
import { auditMethods } from "./rpc/records.ts";
import { openListingDatabase } from "./store/listing.ts";
import { type Writer, startWriter } from "./log/writer.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { AuditConfig } from "./config.ts";

/**
 * Takes over the log and serves it; disposing answers what is under way and gives the log up.
 * Rejects when the keyset does not hold or does not name the log key, commits are not durable,
 * another process writes this log, or the address is taken.
 */
export async function startAudit(
  config: AuditConfig,
  overrides: { readonly clock?: () => number; readonly lockWaitMs?: number } = {},
): Promise<{ port: number } & AsyncDisposable> {
  const { clock = Date.now, lockWaitMs } = overrides;
  const logger = createLogger({ service: "audit", level: config.logLevel });
  await using stack = new AsyncDisposableStack();
  const { keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const answers = stack.use(await followAnswerKey(config.answerKeys, "audit", { trust, logger }));
  const logKey = stack.use(await followSigner(config.logKeys, pickLogKey, { trust, logger }));
  const database = stack.use(openListingDatabase(config.databaseUrl));
  const writer = stack.use(
    await startWriter({
      url: config.databaseUrl,
      clock,
      logger,
      budget: createRecordBudget(config.recordsPerOriginPerDay, () => performance.now()),
      ...(lockWaitMs === undefined ? {} : { lockWaitMs }),
    }),
  );
  const forwarder = createForwarder({
    trust,
    answerKey: answers.key,
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
    database,
    methods: [
      forwardMethods(AuditService, auditMethods({ database, operatorVault: config.operatorVault })),
    ],
  });
  const server = stack.use(
    await serve({
      self: "audit",
      listen: config.listen,
      tls: { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile },
      trustDomain: config.trustDomain,
      routes: [
        route(AppendService, appendCallers, appendService(writer)),
        route(ForwardService, forwardCallers, forwarder),
      ],
      dependencies: { database: () => database.ping(), writer: () => writer.ready() },
      notices: { keyset: trust.checkEnd },
      logger,
    }),
  );
  const own = { log_key: logKey.key().keyId };
  stack.use(reportOwnStart(config, own, server.port, trust.epoch, writer, logger));
  const started = stack.move();
  return { port: server.port, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

// Audit's own events are accepted as everybody's are; only the network is left out.
function reportOwnStart(
  config: AuditConfig,
  keys: { readonly log_key: string },
  port: number,
  keysetEpoch: number,
  writer: Pick<Writer, "append">,
  logger: Logger,
): Disposable {
  const { operatorVault } = config;
  const own = operatorVault === undefined ? keys : { ...keys, operator_vault: operatorVault };
  const start = { emitter: "audit", config, port, keysetEpoch, own, manifest } as const;
  const sink = async (events: readonly Event[]) =>
    void (await writer.append(events.map((event) => acceptEvent(event, "audit"))));
  return reportStart(start, sink, logger);
}
