import { createClient, createRouterTransport } from "@connectrpc/connect";
import { loadTrust, pickAnswerKey } from "@sallyport/evidence";
import { type ForwardMethods, createForwarder } from "@sallyport/forward";
import { type Outbox, createOutbox } from "@sallyport/outbox";
import { type Database, migrate, openDatabase } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { connectPeer, failureOf } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import {
  type ServiceTestDatabase,
  type TestPki,
  createServiceDatabase,
  createTestPki,
} from "@sallyport/test/infra";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createRoots, forwarded } from "./testing/fixture.ts";
import { startAudit } from "./server.ts";

const roots = createRoots(Date.now());
let pki: TestPki;
let log: ServiceTestDatabase;
let owner: ServiceTestDatabase;
let database: Database;

beforeAll(async () => {
  [pki, log, owner] = await Promise.all([
    createTestPki(),
    createServiceDatabase("audit"),
    createServiceDatabase("secrets"),
  ]);
  await migrate({ url: log.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  await using tables = openDatabase({ url: owner.ownerUrl, applicationName: "test" });
  await tables.query("create table things (name text primary key)");
  await tables.query(`create table outbox (
    event_id text primary key, event bytea not null, created_at timestamptz not null default clock_timestamp(),
    refused_at timestamptz, refused_reason text)`);
  await tables.query(
    "create table seen_requests (request_digest bytea primary key, expires_at timestamptz)",
  );
  await tables.query(
    "grant select, insert, delete on outbox, things, seen_requests to sallyport_secrets",
  );
  await tables.query("grant update (refused_at, refused_reason) on outbox to sallyport_secrets");
  database = openDatabase({ url: owner.servingUrl, applicationName: "test" });
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await Promise.all([log, owner, pki].map((resource) => resource[Symbol.asyncDispose]()));
});

function start(port: number) {
  return startAudit({
    ...pki.tls("audit"),
    listen: { host: "127.0.0.1", port },
    trustDomain: pki.trustDomain,
    publicNames: ["localhost:8443"],
    clockWindowSeconds: 60,
    keyset: roots.keyset,
    rootFingerprint: roots.rootFingerprint,
    answerKeys: roots.answerKeys,
    logKeys: roots.logKeys,
    databaseUrl: log.servingUrl,
    operatorVault: undefined,
    recordsPerOriginPerDay: 200_000,
    logLevel: "silent",
    otlpUrl: undefined,
  });
}

async function recorded(): Promise<string[]> {
  await using reader = openDatabase({ url: log.servingUrl, applicationName: "test" });
  const rows = await reader.query<{ event_id: string }>(
    "select event_id from records where action <> 'process.started' order by seq",
  );
  return rows.map(({ event_id }) => event_id);
}

test("a change that is made while audit is down is recorded once after it is back", async () => {
  const first = await start(0);
  const { port } = first;
  await using connection = connectPeer({
    peer: "audit",
    url: `https://localhost:${port}`,
    tls: pki.tls("secrets"),
    trustDomain: pki.trustDomain,
  });
  const audit = createClient(AppendService, connection.transport);
  const logger = createLogger({ service: "secrets", level: "silent" });
  await using outbox = createOutbox({ database, audit, logger });
  const change = async (name: string): Promise<string> => {
    const event = newEvent("secrets", "secret.created", {
      actorKind: ActorKind.USER,
      detail: { name },
    });
    await database.transaction(async (tx) => {
      await tx.query("insert into things (name) values ($1)", [name]);
      await outbox.record(tx, event);
    });
    return event.eventId;
  };

  const before = await change("before");
  await outbox.drain();
  expect(await recorded()).toEqual([before]);

  await first[Symbol.asyncDispose]();
  const during = await change("during");
  await expect(outbox.drain()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(await recorded()).toEqual([before]);

  await using _second = await start(port);
  await vi.waitFor(async () => expect(await recorded()).toEqual([before, during]), {
    timeout: 8_000,
  });
  await outbox.drain();
  const after = await change("after");
  await outbox.drain();
  expect(await recorded()).toEqual([before, during, after]);
}, 30_000);

function projectCreated(): Event {
  return newEvent("secrets", "project.created", { actorKind: ActorKind.USER });
}

/**
 * Events that a service of this name may come to hold by a fault of its own, and that the log never
 * takes.
 */
function refusedEvents(): readonly (readonly [reason: string, event: Event])[] {
  const user = { actorKind: ActorKind.USER };
  const taken = newEvent("secrets", "secret.created", user);
  return [
    ["PEER_NOT_ALLOWED", newEvent("policy", "grant.added", user)],
    [
      "FIELD_INVALID source_ip",
      newEvent("secrets", "secret.created", { ...user, sourceIp: "nowhere" }),
    ],
    [
      "FIELD_INVALID text",
      newEvent("secrets", "secret.created", { ...user, subjectId: "a\u0000b" }),
    ],
    [
      "FIELD_INVALID events[0].actor_id",
      newEvent("secrets", "secret.created", { ...user, actorId: "x".repeat(65) }),
    ],
    ["", taken],
    ["CONFLICT", newEvent("secrets", "project.created", { ...user, eventId: taken.eventId })],
  ];
}

describe("an event that the log never takes", () => {
  let server: { port: number } & AsyncDisposable;
  let stack: AsyncDisposableStack;
  let outbox: Outbox;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    server = stack.use(await start(0));
    const url = `https://localhost:${server.port}`;
    const tls = pki.tls("secrets");
    const connection = stack.use(
      connectPeer({ peer: "audit", url, tls, trustDomain: pki.trustDomain }),
    );
    const audit = createClient(AppendService, connection.transport);
    const logger = createLogger({ service: "secrets", level: "silent" });
    outbox = stack.use(createOutbox({ database, audit, logger }));
    await outbox.drain();
    await database.query("delete from outbox");
  });
  afterEach(() => stack.disposeAsync());

  test("is set aside with its reason, and those around it are recorded", async () => {
    const events = [...refusedEvents(), ["", projectCreated()] as const];
    // One by one: the conflict is with a record that is in the log before it.
    for (const [, event] of events) {
      await database.transaction((tx) => outbox.record(tx, event));
      await outbox
        .drain()
        .catch((error: unknown) => expect(failureOf(error).reason).toBe(Reason.INTERNAL));
    }
    const rows = await database.query<{ reason: string }>(
      "select refused_reason as reason from outbox where refused_at is not null order by refused_at",
    );
    const reasons = events.map(([reason]) => reason).filter((reason) => reason !== "");
    expect(rows.map(({ reason }, index) => reason.startsWith(reasons[index] ?? "none"))).toEqual(
      reasons.map(() => true),
    );
    const taken = events.filter(([reason]) => reason === "").map(([, { eventId }]) => eventId);
    expect((await recorded()).slice(-taken.length)).toEqual(taken);
  });

  test("is not answered as recorded, and the next change of the service is", async () => {
    const nowMs = Date.now();
    let toRecord = projectCreated();
    const { createProject } = ProjectService.method;
    const methods: ForwardMethods = new Map([
      [
        `/${createProject.parent.typeName}/${createProject.name}`,
        async (context) => {
          await context.mutate((tx) => outbox.record(tx, toRecord));
          return new Uint8Array();
        },
      ],
    ]);
    const trust = loadTrust(roots.keyset, roots.rootFingerprint, nowMs);
    const forwarder = createForwarder({
      trust,
      answerKey: () => pickAnswerKey(roots.answerKeys, "audit", trust),
      authorities: ["localhost:8443"],
      windowSeconds: 60,
      clock: () => nowMs,
      database,
      beforeMutation: () => outbox.ready(),
      afterCommit: (own) => outbox.drain(own),
      methods: [methods],
    });
    const transport = createRouterTransport(
      ({ service }) => void service(ForwardService, forwarder),
    );
    const user = { vaultId: newId("vlt"), role: Role.OWNER, nowMs };
    const change = async (event: Event) => {
      toRecord = event;
      const { result } = await createClient(ForwardService, transport).forward(
        forwarded(createProject, { name: "web" }, user, roots),
      );
      return result.case;
    };
    for (const [reason, event] of refusedEvents()) {
      if (reason === "") expect(await change(event)).toBe("response");
      else await expect(change(event), reason).rejects.toMatchObject({ message: /internal/ });
      expect(await change(projectCreated())).toBe("response");
    }
  });
});
