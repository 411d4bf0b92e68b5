import {
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  create,
  fromBinary,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { type Database, migrate } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  ActorKind,
  AuditService,
  Outcome,
  RecordOrder,
  RecordScope,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ForwardService } from "@sallyport/proto/gen/sallyport/evidence/internal/v1/forward_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { newId } from "@sallyport/proto/ids";
import {
  type Peer,
  type PeerConnection,
  connectPeer,
  failureOf,
  fromRefusal,
} from "@sallyport/rpc";
import {
  type AnswerFiles,
  type ServiceTestDatabase,
  type TestPki,
  createAnswerFiles,
  createServiceDatabase,
  createTestPki,
} from "@sallyport/test/infra";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createRoots, forwarded } from "./testing/fixture.ts";
import { auditMethods } from "./rpc/records.ts";
import { startAudit } from "./server.ts";

const nowMs = Date.now();
const roots = createRoots(nowMs);
const operatorVault = newId("vlt");
const { listRecords, getRecord } = AuditService.method;
const connections: PeerConnection[] = [];
let pki: TestPki;
let testDatabase: ServiceTestDatabase;
let server: { port: number } & AsyncDisposable;
let files: AnswerFiles;

beforeAll(async () => {
  [pki, testDatabase] = await Promise.all([createTestPki(), createServiceDatabase("audit")]);
  await migrate({ url: testDatabase.ownerUrl, folder: new URL("../migrations", import.meta.url) });
  files = createAnswerFiles({ owner: "audit", ...roots });
  server = await startAudit(
    {
      ...pki.tls("audit"),
      listen: { host: "127.0.0.1", port: 0 },
      trustDomain: pki.trustDomain,
      publicNames: ["localhost:8443"],
      clockWindowSeconds: 60,
      ...files.config,
      logKeys: roots.logKeys,
      rootFingerprint: roots.rootFingerprint,
      databaseUrl: testDatabase.servingUrl,
      operatorVault,
      recordsPerOriginPerDay: 10_000,
      logLevel: "silent",
      otlpUrl: undefined,
    },
    { clock: () => nowMs },
  );
});

afterAll(async () => {
  for (const connection of connections) connection.close();
  await server[Symbol.asyncDispose]();
  files[Symbol.dispose]();
  await Promise.all([testDatabase[Symbol.asyncDispose](), pki[Symbol.asyncDispose]()]);
});

function connect<S extends typeof AppendService | typeof ForwardService>(
  service: S,
  peer: Peer,
): Client<S> {
  const url = `https://localhost:${server.port}`;
  const connection = connectPeer({
    peer: "audit",
    url,
    tls: pki.tls(peer),
    trustDomain: pki.trustDomain,
  });
  connections.push(connection);
  return createClient(service, connection.transport);
}

function secretCreated(vaultId: string, fields: Partial<Event> = {}): Event {
  return Object.assign(
    newEvent("secrets", "secret.created", { actorKind: ActorKind.USER, vaultId }),
    fields,
  );
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

  test("says which event the log will never take, and writes nothing of its call", async () => {
    const vaultId = newId("vlt");
    const good = secretCreated(vaultId);
    const foreign = newEvent("policy", "grant.added", { actorKind: ActorKind.USER, vaultId });
    const wrong = secretCreated(vaultId, { sourceIp: "nowhere" });
    const secrets = connect(AppendService, "secrets");
    const { results } = await secrets.append({ events: [good, foreign, wrong] });
    expect(results).toMatchObject([
      { eventId: good.eventId, status: AppendStatus.HELD_BACK, seq: 0n },
      {
        eventId: foreign.eventId,
        status: AppendStatus.REFUSED,
        refusal: { reason: Reason.PEER_NOT_ALLOWED },
      },
      {
        eventId: wrong.eventId,
        status: AppendStatus.REFUSED,
        refusal: { reason: Reason.FIELD_INVALID, metadata: { field: "source_ip" } },
      },
    ]);
    expect((await ask(listRecords, {}, { vaultId })).records).toEqual([]);
    await append(good);
    expect((await ask(listRecords, {}, { vaultId })).records).toHaveLength(1);
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

test("a start of audit itself is on record, with what it is configured with", async () => {
  const { records } = await vi.waitFor(async () => {
    const query = { scope: RecordScope.DEPLOYMENT, actions: ["process.started"] };
    const found = await ask(listRecords, query, { vaultId: operatorVault });
    expect(found.records).toHaveLength(1);
    return found;
  });
  expect(records[0]).toMatchObject({
    emitter: "audit",
    actorKind: ActorKind.SERVICE,
    actorId: "audit",
    detail: {
      listen: `127.0.0.1:${server.port}`,
      keyset_epoch: "1",
      root_fingerprint: roots.rootFingerprint,
      operator_vault: operatorVault,
    },
  });
});

describe("AuditService", () => {
  test("shows a vault its own records and no others", async () => {
    const [mine, theirs] = [newId("vlt"), newId("vlt")];
    const [one, other] = [secretCreated(mine), secretCreated(theirs)];
    await append(one, other, secretCreated(""));
    const { records } = await ask(listRecords, {}, { vaultId: mine });
    expect(records.map(({ eventId }) => eventId)).toEqual([one.eventId]);
    await expect(
      ask(getRecord, { eventId: other.eventId }, { vaultId: mine }),
    ).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test.each([RecordOrder.NEWEST_FIRST, RecordOrder.OLDEST_FIRST])(
    "order %s pages through everything once, and what arrives meanwhile moves nothing",
    async (order) => {
      const vaultId = newId("vlt");
      const events = Array.from({ length: 5 }, () => secretCreated(vaultId));
      await append(...events);
      const seen: string[] = [];
      const late: string[] = [];
      let pageToken = "";
      do {
        const page = await ask(listRecords, { pageSize: 2, pageToken, order }, { vaultId });
        seen.push(...page.records.map(({ eventId }) => eventId));
        pageToken = page.nextPageToken;
        if (late.length >= 3) continue;
        const arriving = secretCreated(vaultId);
        late.push(arriving.eventId);
        await append(arriving);
      } while (pageToken !== "");
      const listed = events.map(({ eventId }) => eventId);
      // Oldest first, what arrived before the last page was made comes at its end.
      const want = order === RecordOrder.OLDEST_FIRST ? [...listed, ...late] : listed.reverse();
      expect(seen).toEqual(want);
    },
  );

  test("a page that is exactly full is the last", async () => {
    const vaultId = newId("vlt");
    await append(secretCreated(vaultId), secretCreated(vaultId));
    for (const order of [RecordOrder.NEWEST_FIRST, RecordOrder.OLDEST_FIRST]) {
      const { records, nextPageToken } = await ask(
        listRecords,
        { pageSize: 2, order },
        { vaultId },
      );
      expect([records.length, nextPageToken]).toEqual([2, ""]);
    }
  });

  test("is tailed by asking again after the newest seq, with a filter too: nothing twice, nothing lost", async () => {
    const vaultId = newId("vlt");
    const tail = async (afterSeq: bigint) => {
      const query = { order: RecordOrder.OLDEST_FIRST, afterSeq, actions: ["project.created"] };
      const { records, newestSeq, nextPageToken } = await ask(listRecords, query, { vaultId });
      expect(nextPageToken).toBe("");
      return { ids: records.map(({ eventId }) => eventId), newestSeq };
    };
    const project = () =>
      newEvent("secrets", "project.created", { actorKind: ActorKind.USER, vaultId });
    expect(await tail(0n)).toEqual({ ids: [], newestSeq: 0n });
    const [one, two] = [project(), project()];
    await append(one, secretCreated(vaultId));
    const first = await tail(0n);
    expect(first.ids).toEqual([one.eventId]);
    const { records } = await ask(listRecords, {}, { vaultId });
    expect(first.newestSeq).toBe(records[0]?.seq); // Beyond what passed.
    await append(secretCreated(newId("vlt")));
    expect(await tail(first.newestSeq)).toEqual({ ids: [], newestSeq: first.newestSeq });
    await append(two);
    expect((await tail(first.newestSeq)).ids).toEqual([two.eventId]);
    expect((await tail(first.newestSeq + 1_000n)).newestSeq).toBe(first.newestSeq + 1_000n);
  });

  test("refuses a page token that it did not make, and one of another query or vault", async () => {
    const vaultId = newId("vlt");
    await append(secretCreated(vaultId), secretCreated(vaultId));
    const { nextPageToken } = await ask(listRecords, { pageSize: 1 }, { vaultId });
    const refused = { reason: Reason.FIELD_INVALID, metadata: { field: "page_token" } };
    const filtered = { pageToken: nextPageToken, outcome: Outcome.ALLOWED };
    for (const asked of [{ pageToken: "x" }, filtered])
      await expect(ask(listRecords, asked, { vaultId })).rejects.toMatchObject(refused);
    const elsewhere = ask(listRecords, { pageToken: nextPageToken }, { vaultId: newId("vlt") });
    await expect(elsewhere).rejects.toMatchObject(refused);
    const { records } = await ask(
      listRecords,
      { pageToken: nextPageToken, pageSize: 9 },
      { vaultId },
    );
    expect(records).toHaveLength(1);
  });

  test("filters by everything that it names", async () => {
    const vaultId = newId("vlt");
    const [machineId, secretId, projectId] = [newId("mch"), newId("sec"), newId("prj")];
    const [actorId, subjectId, sourceIp] = [newId("usr"), newId("tok"), "2001:db8::7"];
    const plain = secretCreated(vaultId, { sourceIp: "192.0.2.1" });
    const marked = secretCreated(vaultId, {
      machineId,
      secretId,
      projectId,
      actorId,
      subjectId,
      sourceIp,
    });
    const project = newEvent("secrets", "project.created", { actorKind: ActorKind.USER, vaultId });
    const replayed = newEvent("secrets", "mutation.replayed", {
      actorKind: ActorKind.SERVICE,
      actorId: "secrets",
      vaultId,
      reason: "REQUEST_REJECTED",
    });
    await append(plain, marked, project, replayed);
    const list = async (filter: MessageInitShape<typeof listRecords.input>) => {
      const { records } = await ask(listRecords, filter, { vaultId });
      return records.map(({ eventId }) => eventId);
    };
    const done = [project.eventId, marked.eventId, plain.eventId];
    expect(await list({ actions: ["project.created"] })).toEqual([project.eventId]);
    expect(await list({ actions: ["project.created", "secret.created"] })).toEqual(done);
    expect(await list({ outcome: Outcome.ALLOWED })).toEqual(done);
    for (const filter of [
      { outcome: Outcome.DENIED },
      { reasons: ["REQUEST_REJECTED"] },
      { actorId: "secrets" },
    ])
      expect(await list(filter)).toEqual([replayed.eventId]);
    for (const filter of [{ machineId }, { secretId }, { projectId }, { actorId }, { subjectId }])
      expect(await list(filter)).toEqual([marked.eventId]);
    for (const sourceCidr of ["2001:db8::7", "2001:DB8:0:0::7", "2001:db8::/32", "::/0"])
      expect(await list({ sourceCidr })).toEqual([marked.eventId]);
    for (const sourceCidr of [
      "192.0.2.1",
      "192.0.2.0/24",
      "::ffff:192.0.2.1",
      "::ffff:c000:200/120",
    ])
      expect(await list({ sourceCidr })).toEqual([plain.eventId]);
    expect(await list({ machineId, actions: ["project.created"] })).toEqual([]);
    expect(await list({ sourceCidr: "198.51.100.0/24" })).toEqual([]);
    const after = timestampFromMs(nowMs);
    const before = timestampFromMs(nowMs + 1);
    expect(await list({ afterTime: after, beforeTime: before, outcome: Outcome.ALLOWED })).toEqual(
      done,
    );
    expect(await list({ afterTime: { ...after, nanos: after.nanos + 1 } })).toEqual([]);
    expect(await list({ beforeTime: after })).toEqual([]);
    expect(await list({ beforeTime: { ...after, nanos: after.nanos + 1 }, actorId })).toEqual([
      marked.eventId,
    ]);
  });

  const wrong: readonly [string, MessageInitShape<typeof listRecords.input>][] = [
    ["page_size", { pageSize: 201 }],
    ["page_token", { pageToken: "x".repeat(201) }],
    ["actions", { actions: Array.from({ length: 51 }, (_, index) => `a${index}`) }],
    ["actions", { actions: ["x".repeat(65)] }],
    ["outcome", { outcome: 3 as Outcome }],
    ["machine_id", { machineId: "mch_1" }],
    ["secret_id", { secretId: "' or true" }],
    ["project_id", { projectId: "prj_" }],
    ["actor_id", { actorId: newId("tok") }],
    ["subject_id", { subjectId: "x".repeat(65) }],
    ["subject_id", { subjectId: "a b" }],
    ["reasons", { reasons: ["not_granted"] }],
    ["reasons", { reasons: Array.from({ length: 51 }, () => "NOT_GRANTED") }],
    ["source_cidr", { sourceCidr: "192.0.2.1/24" }],
    ["source_cidr", { sourceCidr: "fe80::1%eth0" }],
    ["after_time", { afterTime: { seconds: -1n } }],
    ["before_time", { beforeTime: { seconds: 253_402_300_800n } }],
    ["before_time", { afterTime: { seconds: 5n }, beforeTime: { seconds: 5n } }],
    ["order", { order: 3 as RecordOrder }],
    ["after_seq", { afterSeq: 2n ** 63n - 1n }],
    ["scope", { scope: 3 as RecordScope }],
  ];
  test.each(wrong)("refuses a wrong %s", async (field, asked) => {
    const failure = await ask(listRecords, asked, { vaultId: newId("vlt") }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ reason: Reason.FIELD_INVALID });
    expect(failure).toMatchObject({
      metadata: { field: expect.stringMatching(`^${field}`) as string },
    });
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

  describe("what belongs to no vault", () => {
    const scope = RecordScope.DEPLOYMENT;
    const nobodys = newEvent("gateway", "request.rejected", { actorKind: ActorKind.UNKNOWN });

    test("is listed and shown to the operator's vault, apart from its own", async () => {
      const mine = secretCreated(operatorVault);
      await append(mine);
      await connect(AppendService, "gateway").append({ events: [nobodys] });
      const deployment = await ask(listRecords, { scope }, { vaultId: operatorVault });
      expect(deployment.records.map(({ vaultId }) => vaultId)).toEqual(
        deployment.records.map(() => ""),
      );
      expect(deployment.records.map(({ eventId }) => eventId)).toContain(nobodys.eventId);
      const own = await ask(listRecords, { scope: RecordScope.VAULT }, { vaultId: operatorVault });
      expect(own.records.map(({ eventId }) => eventId)).toEqual([mine.eventId]);
      const { record } = await ask(
        getRecord,
        { eventId: nobodys.eventId },
        { vaultId: operatorVault },
      );
      expect(record).toMatchObject({ action: "request.rejected", vaultId: "" });
    });

    test("is not for another vault", async () => {
      const vaultId = newId("vlt");
      await expect(ask(listRecords, { scope }, { vaultId })).rejects.toMatchObject({
        reason: Reason.ROLE_REQUIRED,
      });
      await expect(ask(getRecord, { eventId: nobodys.eventId }, { vaultId })).rejects.toMatchObject(
        {
          reason: Reason.NOT_FOUND,
        },
      );
    });

    test("is not for a developer of the operator's vault", async () => {
      const developer = { vaultId: operatorVault, role: Role.DEVELOPER };
      await expect(ask(listRecords, { scope }, developer)).rejects.toMatchObject({
        reason: Reason.ROLE_REQUIRED,
      });
    });

    test("is nobody's without an operator's vault, whatever a vault calls itself", async () => {
      const database: Pick<Database, "query"> = { query: async () => [] };
      const methods = auditMethods({ database, operatorVault: undefined });
      const request = create(listRecords.input, { scope });
      for (const reader of [
        { principal: { vaultId: operatorVault } },
        { principal: { vaultId: "" } },
        {},
      ])
        await expect(methods.listRecords(reader, request)).rejects.toMatchObject({
          reason: Reason.ROLE_REQUIRED,
        });
    });
  });

  test.each(["identity", "policy", "secrets", "crypto", "audit", "operator"] as const)(
    "%s may not hand over requests",
    async (peer) => {
      const request = forwarded(
        listRecords,
        {},
        { vaultId: newId("vlt"), role: Role.OWNER, nowMs },
        roots,
      );
      await expect(connect(ForwardService, peer).forward(request)).rejects.toMatchObject({
        code: Code.PermissionDenied,
      });
    },
  );
});

test("takes its keys up while it runs", async () => {
  const user = { vaultId: newId("vlt"), role: Role.AUDITOR, nowMs };
  const signedBy = async () => {
    const request = forwarded(listRecords, {}, user, roots);
    return (await connect(ForwardService, "gateway").forward(request)).answer?.keyId;
  };
  expect(await signedBy()).toBe("answer-audit-1");
  const next = files.replace();
  await expect.poll(signedBy, { timeout: 20_000, interval: 500 }).toBe(next);
});
