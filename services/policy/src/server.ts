/**
 * Policy decides what a machine may read, secret by secret, and what a developer may do in a
 * project. It is a process of its own so that neither the gateway, which it does not trust, nor a
 * process with keys or values decides. It promises that a change is obeyed by the next decision,
 * that a refusal is on record before it is answered, and that what is hidden and what does not
 * exist are refused alike. It must never allow more because of what the gateway states, give a
 * permit for a refused request, or know a name or a value.
 */

import { type Client, createClient } from "@connectrpc/connect";
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
import { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { AuthorizationService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { DirectoryService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/directory_pb.ts";
import { RoleService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/role_pb.ts";
import { ScopeService } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { reportStart } from "@sallyport/audit-events";
import { type Route, checkHealth, connectPeer, route, serve } from "@sallyport/rpc";
import { type Logger, createLogger } from "@sallyport/telemetry";
import {
  authorizationCallers,
  directoryCallers,
  forwardCallers,
  roleCallers,
  scopeCallers,
} from "./callers.ts";
import type { PolicyConfig } from "./config.ts";
import { createDenialLog } from "./decision/denials.ts";
import { createAuthorization } from "./rpc/authorize.ts";
import { createDirectory } from "./rpc/directory.ts";
import { grantMethods } from "./rpc/grants.ts";
import { membershipMethods } from "./rpc/memberships.ts";
import { projectRoleMethods } from "./rpc/project-roles.ts";
import { createRoles } from "./rpc/roles.ts";
import { createScope } from "./rpc/scope.ts";
import { sealingMethods } from "./rpc/sealing.ts";

const manifest = new URL("../package.json", import.meta.url);

export type { PolicyConfig } from "./config.ts";

/** Parts that a test may replace: the clock, in milliseconds. */
export type PolicyOverrides = { readonly clock?: () => number };

/** Dependencies of the routes. */
export type PolicyParts = {
  readonly database: Database;
  /** The same database, for decisions alone. */
  readonly decisions: Pick<Database, "query">;
  readonly outbox: Outbox;
  readonly trust: Trust;
  readonly answerKey: ForwarderOptions["answerKey"];
  readonly permitKeys: () => readonly MacKey[];
  readonly audit: Pick<Client<typeof AppendService>, "append">;
  readonly clock: () => number;
  /** Milliseconds that run evenly; the process's own unless a test gives another. */
  readonly steadyClock?: () => number;
  readonly logger: Logger;
};

/** Starts policy; resolves once it listens. Disposing drains it. */
export async function startPolicy(
  config: PolicyConfig,
  { clock = Date.now }: PolicyOverrides = {},
): Promise<{ port: number } & AsyncDisposable> {
  const logger = createLogger({ service: "policy", level: config.logLevel });
  await using stack = new AsyncDisposableStack();
  const { keyset, rootFingerprint } = config;
  const trust = stack.use(await followTrust({ keyset, rootFingerprint, clock, logger }));
  const answers = stack.use(await followAnswerKey(config.answerKeys, "policy", { trust, logger }));
  const permits = stack.use(await followKeys(config.permitKeys, { logger }));
  const tls = { certFile: config.certFile, keyFile: config.keyFile, caFile: config.caFile };
  const { trustDomain, listen } = config;
  const { databaseUrl: url } = config;
  const database = stack.use(openDatabase({ url, applicationName: "sallyport-policy" }));
  // Decisions have connections of their own: changes that wait for one machine must not hold up
  // every read.
  const decisions = stack.use(openDatabase({ url, applicationName: "sallyport-policy-decisions" }));
  const auditPeer = stack.use(
    connectPeer({ peer: "audit", url: config.auditUrl, tls, trustDomain }),
  );
  const audit = createClient(AppendService, auditPeer.transport);
  const outbox = stack.use(createOutbox({ database, audit, logger }));
  const routes = policyRoutes(config, {
    database,
    decisions,
    outbox,
    trust,
    answerKey: answers.key,
    permitKeys: () => permits.current,
    audit,
    clock,
    logger,
  });
  const dependencies = {
    database: () => database.ping(),
    audit: () => checkHealth(auditPeer.transport, "live"),
  };
  const notices = { outbox: () => outbox.checkRefused(), keyset: trust.checkEnd };
  // Last in, first out: calls drain before what they work with goes.
  const server = stack.use(
    await serve({
      self: "policy",
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
    emitter: "policy",
    config,
    port: server.port,
    keysetEpoch: trust.epoch,
    manifest,
  } as const;
  stack.use(reportStart(start, outbox.send, logger));
  const running = stack.move();
  return { port: server.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Everything that policy serves, with its callers. */
export function policyRoutes(
  config: Pick<PolicyConfig, "publicNames" | "clockWindowSeconds">,
  {
    database,
    decisions,
    outbox,
    audit,
    trust,
    answerKey,
    permitKeys,
    clock,
    steadyClock = () => performance.now(),
    logger,
  }: PolicyParts,
): Route[] {
  const shown = { database, outbox, clock };
  const forwarder = createForwarder({
    trust,
    answerKey,
    authorities: config.publicNames,
    windowSeconds: config.clockWindowSeconds,
    clock,
    database,
    beforeMutation: () => outbox.ready(),
    afterCommit: (own) => outbox.drain(own),
    onReplay: createReplayRecorder("policy", outbox),
    methods: [
      grantMethods(shown),
      membershipMethods(shown),
      projectRoleMethods(shown),
      sealingMethods(shown),
    ],
  });
  const denials = createDenialLog(audit, outbox.note, steadyClock);
  return [
    route(
      AuthorizationService,
      authorizationCallers,
      createAuthorization({ database: decisions, denials, permitKeys, clock, logger }),
    ),
    route(ScopeService, scopeCallers, createScope({ database, outbox, clock })),
    route(RoleService, roleCallers, createRoles({ database, decisions })),
    route(DirectoryService, directoryCallers, createDirectory(database)),
    route(ForwardService, forwardCallers, forwarder),
  ];
}
