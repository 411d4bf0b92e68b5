import {
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  fromBinary,
} from "@bufbuild/protobuf";
import { type Client, Code, type ConnectError, createClient } from "@connectrpc/connect";
import { migrate } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind, AuditService, Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type Peer, type PeerConnection, connectPeer, failureOf, fromRefusal } from "@sallyport/rpc";
import {
  type ServiceTestDatabase,
  type TestPki,
  createServiceDatabase,
  createTestPki,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRoots, forwarded } from "./fixture.ts";
import { startAudit } from "./server.ts";

const nowMs = Date.now();
const roots = createRoots(nowMs);
const { listRecords, getRecord } = AuditService.method;
const connections: PeerConnection[] = [];
let pki: TestPki;
let testDatabase: ServiceTestDatabase;
let server: { port: number } & AsyncDisposable;

beforeAll(async () => {
  [pki, testDatabase] = await Promise.all([createTestPki(), createServiceDatabase("audit")]);
  await migrate({ url: testDatabase.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  server = await startAudit(
    {
      ...pki.tls("audit"),
      listen: { host: "127.0.0.1", port: 0 },
      trustDomain: pki.trustDomain,
      publicNames: ["localhost:8443"],
      clockWindowSeconds: 60,
      keyset: roots.keyset,
      rootFingerprint: roots.rootFingerprint,
      databaseUrl: testDatabase.servingUrl,
      logLevel: "silent",
      otlpUrl: undefined,
    },
    { clock: () => nowMs },
  );
});

afterAll(async () => {
  for (const connection of connections) connection.close();
  await server[Symbol.asyncDispose]();
  await Promise.all([testDatabase[Symbol.asyncDispose](), pki[Symbol.asyncDispose]()]);
});

function connect<S extends typeof AppendService | typeof ForwardService>(service: S, peer: Peer): Client<S> {
  const url = `https://localhost:${server.port}`;
  const connection = connectPeer({ peer: "audit", url, tls: pki.tls(peer), trustDomain: pki.trustDomain });
  connections.push(connection);
  return createClient(service, connection.transport);
}

function secretCreated(vaultId: string, fields: Partial<Event> = {}): Event {
  return Object.assign(newEvent("secrets", "secret.created", { actorKind: ActorKind.USER, vaultId }), fields);
}

async function append(...events: Event[]): Promise<void> {
  const { results } = await connect(AppendService, "secrets").append({ events });
  expect(results.every(({ status }) => status === AppendStatus.COMMITTED)).toBe(true);
}

async function ask<M extends DescMethodUnary>(
  method: M,
  message: MessageInitShape<M["input"]>,
  user: { vaultId: string; role?: Role },
): Promise<MessageShape<M["output"]>> {
  const request = forwarded(method, message, { role: Role.AUDITOR, nowMs, ...user }, roots);
  const { result } = await connect(ForwardService, "gateway").forward(request);
  if (result.case === "refusal") throw fromRefusal(result.value);
  if (result.case !== "response") throw new Error("no result");
  return fromBinary<M["output"]>(method.output, result.value);
}

describe("Append", () => {
  test("answers after the commit, with the peer as emitter", async () => {
    const vaultId = newId("vlt");
    const event = secretCreated(vaultId);
    await append(event);
    const { record } = await ask(getRecord, { eventId: event.eventId }, { vaultId });
    expect(record).toMatchObject({ emitter: "secrets", action: "secret.created", vaultId });
  });

  test("refuses what the catalogue gives to another, with everything that came with it", async () => {
    const vaultId = newId("vlt");
    const read = newEvent("crypto", "secret.read", {
      actorKind: ActorKind.MACHINE,
      vaultId,
      decisionId: newId("dec"),
      secretId: newId("sec"),
      attemptId: new Uint8Array(16),
    });
    const call = connect(AppendService, "secrets").append({ events: [secretCreated(vaultId), read] });
    await expect(call).rejects.toMatchObject({ code: Code.PermissionDenied } satisfies Partial<ConnectError>);
    const { records } = await ask(listRecords, {}, { vaultId });
    expect(records).toEqual([]);
  });

  test.each(["audit", "operator"] as const)("refuses %s altogether", async (peer) => {
    const call = connect(AppendService, peer).append({ events: [secretCreated(newId("vlt"))] });
    await expect(call).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  test("refuses an event that its contract does not allow", async () => {
    const event = secretCreated(newId("vlt"), { eventId: "evt_x" });
    const failure = await connect(AppendService, "secrets")
      .append({ events: [event] })
      .catch(failureOf);
    expect(failure).toMatchObject({ reason: Reason.FIELD_INVALID });
  });
});

describe("AuditService", () => {
  test("shows a vault its own records and no others", async () => {
    const [mine, theirs] = [newId("vlt"), newId("vlt")];
    const [one, other] = [secretCreated(mine), secretCreated(theirs)];
    await append(one, other, secretCreated(""));
    const { records } = await ask(listRecords, {}, { vaultId: mine });
    expect(records.map(({ eventId }) => eventId)).toEqual([one.eventId]);
    await expect(ask(getRecord, { eventId: other.eventId }, { vaultId: mine })).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test("pages from new to old, and what arrives meanwhile moves nothing", async () => {
    const vaultId = newId("vlt");
    const events = Array.from({ length: 5 }, () => secretCreated(vaultId));
    await append(...events);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await ask(listRecords, { pageSize: 2, pageToken }, { vaultId });
      seen.push(...page.records.map(({ eventId }) => eventId));
      pageToken = page.nextPageToken;
      await append(secretCreated(vaultId));
    } while (pageToken !== "");
    expect(seen).toEqual(events.map(({ eventId }) => eventId).reverse());
  });

  test("a page that is exactly full is the last", async () => {
    const vaultId = newId("vlt");
    await append(secretCreated(vaultId), secretCreated(vaultId));
    const { records, nextPageToken } = await ask(listRecords, { pageSize: 2 }, { vaultId });
    expect([records.length, nextPageToken]).toEqual([2, ""]);
  });

  test("refuses a page token that it did not make", async () => {
    await expect(ask(listRecords, { pageToken: "x" }, { vaultId: newId("vlt") })).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
    });
  });

  test("filters by action, outcome, machine, secret, project and actor", async () => {
    const vaultId = newId("vlt");
    const [machineId, secretId, projectId, actorId] = [
      newId("mch"),
      newId("sec"),
      newId("prj"),
      newId("usr"),
    ];
    const plain = secretCreated(vaultId);
    const marked = secretCreated(vaultId, { machineId, secretId, projectId, actorId });
    const project = Object.assign(newEvent("secrets", "project.created", { actorKind: ActorKind.USER }), {
      vaultId,
    });
    await append(plain, marked, project);
    const list = async (filter: MessageInitShape<typeof listRecords.input>) => {
      const { records } = await ask(listRecords, filter, { vaultId });
      return records.map(({ eventId }) => eventId);
    };
    const everything = [project.eventId, marked.eventId, plain.eventId];
    expect(await list({ actions: ["project.created"] })).toEqual([project.eventId]);
    expect(await list({ actions: ["project.created", "secret.created"] })).toEqual(everything);
    expect(await list({ outcome: Outcome.ALLOWED })).toEqual(everything);
    expect(await list({ outcome: Outcome.DENIED })).toEqual([]);
    for (const filter of [{ machineId }, { secretId }, { projectId }, { actorId }])
      expect(await list(filter)).toEqual([marked.eventId]);
    expect(await list({ machineId, actions: ["project.created"] })).toEqual([]);
  });

  test.each([
    [Role.OWNER, true],
    [Role.ADMIN, true],
    [Role.AUDITOR, true],
    [Role.DEVELOPER, false],
  ])("role %s may read the log: %s", async (role, allowed) => {
    const asked = ask(listRecords, {}, { vaultId: newId("vlt"), role });
    if (allowed) expect(await asked).toMatchObject({ records: [] });
    else await expect(asked).rejects.toMatchObject({ reason: Reason.ROLE_REQUIRED });
  });

  test.each(["identity", "policy", "secrets", "crypto", "audit", "operator"] as const)(
    "%s may not hand over requests",
    async (peer) => {
      const request = forwarded(listRecords, {}, { vaultId: newId("vlt"), role: Role.OWNER, nowMs }, roots);
      await expect(connect(ForwardService, peer).forward(request)).rejects.toMatchObject({
        code: Code.PermissionDenied,
      });
    },
  );
});
