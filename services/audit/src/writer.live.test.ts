import { createHash } from "node:crypto";
import { type Database, type Session, migrate, openDatabase, openSession } from "@sallyport/postgres";
import { type ActionOf, type Emitter, newEvent } from "@sallyport/proto/catalogue";
import { AppendStatus, type Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { createLogger } from "@sallyport/telemetry";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { acceptEvent } from "./accept.ts";
import { canonicalBytes } from "./record.ts";
import { findKnown, keepToIndexes } from "./store/log.ts";
import { findRecord } from "./store/records.ts";
import { explaining } from "./testing/plan.ts";
import { type Writer, type WriterOptions, startWriter } from "./writer.ts";

const folder = new URL("../migrations", import.meta.url);
const logger = createLogger({ service: "audit", level: "silent" });
const { COMMITTED, CONFLICT } = AppendStatus;

let testDatabase: ServiceTestDatabase;
let database: Database;

beforeEach(async () => {
  testDatabase = await createServiceDatabase("audit");
  await migrate({ url: testDatabase.ownerUrl, folder });
  database = openDatabase({ url: testDatabase.servingUrl, applicationName: "test" });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await testDatabase[Symbol.asyncDispose]();
});

function start(options: Partial<WriterOptions> = {}): Promise<Writer> {
  return startWriter({
    url: testDatabase.servingUrl,
    clock: Date.now,
    logger,
    lockWaitMs: 2_000,
    ...options,
  });
}

function event<E extends Emitter>(emitter: E, action: ActionOf<E>, fields: Partial<Event> = {}): Event {
  const made = newEvent(emitter, action, { actorKind: ActorKind.MACHINE, vaultId: "vlt_1" });
  return Object.assign(made, fields);
}

function read(fields: Partial<Event> = {}): Event {
  return event("crypto", "secret.read", {
    decisionId: "dec_1",
    secretId: "sec_1",
    requestDigest: new Uint8Array(32).fill(1),
    attemptId: new Uint8Array(16).fill(1),
    ...fields,
  });
}

function append(writer: Writer, emitter: Emitter, ...events: Event[]) {
  return writer.append(events.map((one) => acceptEvent(one, emitter)));
}

async function seqs(): Promise<number[]> {
  const rows = await database.query<{ seq: number }>("select seq::int from records order by seq");
  return rows.map(({ seq }) => seq);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

type Copied = { readonly decisionId?: string; readonly requestDigest?: Buffer };

/** Writes past the writer, as the serving role could. */
function copyRecord(seq: number, eventId: string, action: string, changed: Copied = {}): Promise<object[]> {
  const { decisionId, requestDigest } = changed;
  return database.query(
    `insert into records select $1::bigint, $2, "time", recorded_at, emitter, $3, outcome, severity, actor_kind,
     actor_id, reason, vault_id, project_id, secret_id, secret_version, machine_id, subject_id, source_ip,
     coalesce($4::bytea, request_digest), coalesce($5, decision_id), policy_version, detail, attempt_id, canonical
     from records where seq = 1`,
    [seq, eventId, action, requestDigest ?? null, decisionId ?? null],
  );
}

async function killWriter(): Promise<void> {
  const killed = await database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'sallyport-audit-writer' and datname = current_database()`,
  );
  expect(killed).toHaveLength(1);
}

describe("many at once", () => {
  test("2,000 events of 50 callers: every one is there once, and no seq is missing", async () => {
    await using writer = await start();
    const callers = upTo(50).map(async () => {
      const taken: { eventId: string; seq: bigint }[] = [];
      for (let call = 0; call < 20; call += 1) {
        const events = [event("secrets", "secret.created"), event("secrets", "secret.version.added")];
        const results = await append(writer, "secrets", ...events);
        expect(results.map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));
        taken.push(...results);
      }
      return taken;
    });
    const taken = (await Promise.all(callers)).flat();
    expect(await seqs()).toEqual(upTo(2_000));
    const rows = await database.query<{ event_id: string; seq: bigint }>("select event_id, seq from records");
    const stored = new Map(rows.map(({ event_id, seq }) => [event_id, seq]));
    expect(taken.every(({ eventId, seq }) => stored.get(eventId) === seq)).toBe(true);
    expect(stored.size).toBe(2_000);
  });

  test("calls that wait share a transaction", async () => {
    await using writer = await start();
    await Promise.all(upTo(100).map(() => append(writer, "secrets", event("secrets", "secret.created"))));
    const [row] = await database.query<{ transactions: number }>(
      "select count(distinct xmin::text)::int as transactions from records",
    );
    expect(row?.transactions).toBeLessThanOrEqual(3);
  });

  test("a full queue refuses at once, with a retry delay, and takes events again later", async () => {
    await using writer = await start({ capacity: 2 });
    const one = append(writer, "secrets", event("secrets", "secret.created"));
    const two = append(writer, "secrets", event("secrets", "secret.created"));
    await expect(append(writer, "secrets", event("secrets", "secret.created"))).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
      retryAfterMs: expect.any(Number) as number,
    });
    await Promise.all([one, two]);
    await append(writer, "secrets", event("secrets", "secret.created"));
    expect(await seqs()).toEqual([1, 2, 3]);
  });
});

test("a batch is looked up by itself, also while Postgres has not learnt what is in the log", async () => {
  await using writer = await start();
  const reads = (count: number) =>
    upTo(count).map((index) =>
      read({
        decisionId: newId("dec"),
        secretId: newId("sec"),
        requestDigest: createHash("sha256").update(newId("req")).digest(),
        attemptId: new Uint8Array(16).fill(index),
      }),
    );
  const known = reads(200);
  for (let call = 0; call < 10; call += 1)
    await append(writer, "crypto", ...(call === 0 ? known : reads(200)));
  await using session = await openSession({ url: testDatabase.servingUrl, applicationName: "test" });
  await keepToIndexes(session);
  const asked = [...reads(300), ...known];
  const explained = explaining(session);
  const found = await findKnown(explained, asked, asked);
  expect(found).toHaveLength(known.length);
  expect(explained.lookedAt()).toBeLessThanOrEqual(3 * asked.length);
  for (let again = 0; again < 8; again += 1) await findKnown(session, asked, asked);
  const plans = await session.query<{ kept: number }>(
    "select generic_plans::int as kept from pg_prepared_statements where statement like 'select r.seq%'",
  );
  expect(plans.every(({ kept }) => kept === 0)).toBe(true);
});

describe("repeats and conflicts", () => {
  const other = new Uint8Array(16).fill(2);
  const otherRequest = new Uint8Array(32).fill(2);

  test("the same event is committed once and answers with its first seq", async () => {
    await using writer = await start();
    const made = event("secrets", "secret.created");
    await append(writer, "secrets", event("secrets", "project.created"), made);
    const results = await append(writer, "secrets", made, made, event("secrets", "secret.created"));
    expect(results.map(({ status, seq }) => [status, seq])).toEqual([
      [COMMITTED, 2n],
      [COMMITTED, 2n],
      [COMMITTED, 3n],
    ]);
    await append(writer, "secrets", event("secrets", "secret.created"));
    expect(await seqs()).toEqual([1, 2, 3, 4]);
  });

  test.each([
    ["in a later call", false],
    ["in one batch", true],
  ])("a decision opens a secret once, %s", async (_, together) => {
    await using writer = await start();
    const first = read();
    const rest = [
      read(), // crypto's own retry under a new event id
      read({ attemptId: other, requestDigest: otherRequest }), // a replayed permit
      read({ requestDigest: otherRequest }),
      read({ eventId: first.eventId, requestDigest: otherRequest }),
      read({ attemptId: other, secretId: "sec_2" }),
      read({ attemptId: other, decisionId: "dec_2", requestDigest: otherRequest }),
    ];
    const results = together
      ? await append(writer, "crypto", first, ...rest)
      : [...(await append(writer, "crypto", first)), ...(await append(writer, "crypto", ...rest))];
    expect(results.map(({ status, seq }) => [status, seq])).toEqual([
      [COMMITTED, 1n],
      [COMMITTED, 1n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [COMMITTED, 2n],
      [COMMITTED, 3n],
    ]);
    expect(await seqs()).toEqual([1, 2, 3]);
  });

  test.each([
    ["in a later call", false],
    ["in one batch", true],
  ])("a signed request opens a secret once, whatever was decided about it, %s", async (_, together) => {
    await using writer = await start();
    const first = read();
    const rest = [
      read(), // crypto's own retry under a new event id
      read({ decisionId: "dec_2", attemptId: other }), // policy was asked again
      read({ decisionId: "dec_3" }),
      read({ decisionId: "dec_2", attemptId: other, secretId: "sec_2" }),
      read({ decisionId: "dec_2", attemptId: other, requestDigest: otherRequest }),
    ];
    const results = together
      ? await append(writer, "crypto", first, ...rest)
      : [...(await append(writer, "crypto", first)), ...(await append(writer, "crypto", ...rest))];
    expect(results.map(({ status, seq }) => [status, seq])).toEqual([
      [COMMITTED, 1n],
      [COMMITTED, 1n],
      [CONFLICT, 0n],
      [CONFLICT, 0n],
      [COMMITTED, 2n],
      [COMMITTED, 3n],
    ]);
    expect(await seqs()).toEqual([1, 2, 3]);
  });

  test.each([
    ["decision", (index: number) => ({ requestDigest: new Uint8Array(32).fill(index) })],
    ["signed request", (index: number) => ({ decisionId: `dec_${index}` })],
  ])("of fifty replays of a %s at once one wins", async (_, differing) => {
    await using writer = await start();
    const attempts = upTo(50).map((index) =>
      read({ attemptId: new Uint8Array(16).fill(index), ...differing(index) }),
    );
    const results = await Promise.all(attempts.map((attempt) => append(writer, "crypto", attempt)));
    expect(results.flat().filter(({ status }) => status === COMMITTED)).toHaveLength(1);
    expect(await seqs()).toEqual([1]);
  });

  test("another kind of event cannot stand in for a read under its event id", async () => {
    await using writer = await start();
    const squatter = event("gateway", "request.rejected");
    await append(writer, "gateway", squatter);
    const [result] = await append(writer, "crypto", read({ eventId: squatter.eventId }));
    expect(result).toMatchObject({ status: CONFLICT, seq: 0n });
  });

  test("the database itself refuses a second read and a second use of an event id", async () => {
    await using writer = await start();
    await append(writer, "crypto", read());
    const copyRead = (changed: Copied) => copyRecord(2, newId("evt"), "secret.read", changed);
    await expect(copyRead({ requestDigest: Buffer.alloc(32) })).rejects.toThrow("records_read_once");
    await expect(copyRead({ decisionId: "dec_2" })).rejects.toThrow("records_request_read_once");
    await expect(copyRead({ decisionId: "dec_2", requestDigest: Buffer.alloc(31) })).rejects.toThrow(
      "records_read_has_request",
    );
    const [row] = await database.query<{ event_id: string }>("select event_id from records");
    await expect(copyRecord(2, row?.event_id ?? "", "other")).rejects.toThrow("records_event_id");
    await expect(copyRecord(1, newId("evt"), "other")).rejects.toThrow("records_pkey");
  });
});

describe("what is stored", () => {
  test("reads back as the record whose canonical bytes are stored", async () => {
    await using writer = await start({ clock: () => 1_800_000_000_123 });
    const made = read({
      actorId: "mch_1",
      projectId: "prj_1",
      secretVersion: 4_294_967_295,
      machineId: "mch_1",
      sourceIp: "2001:db8::1",
      requestDigest: new Uint8Array(32).fill(7),
      policyVersion: 3,
      detail: { sealed: "true", name: 'a "quoted", {odd} \\ näme' },
    });
    await append(writer, "crypto", made);
    const record = await findRecord(database, ["vlt_1"], made.eventId);
    const [row] = await database.query<{ canonical: Uint8Array }>("select canonical from records");
    if (record === undefined || row === undefined) throw new Error("nothing is stored");
    expect(record).toMatchObject({
      seq: 1n,
      emitter: "crypto",
      secretVersion: 4_294_967_295,
      detail: made.detail,
    });
    expect(Buffer.compare(canonicalBytes(record), row.canonical)).toBe(0);
  });
});

describe("the log's time", () => {
  async function times(): Promise<number[]> {
    const rows = await database.query<{ recorded_at: Date }>("select recorded_at from records order by seq");
    return rows.map(({ recorded_at }) => recorded_at.getTime());
  }

  test("goes with seq: a clock that is set back is not followed, also not by the next writer", async () => {
    let nowMs = 1_800_000_000_000;
    const clock = () => nowMs;
    const record = (writer: Writer) => append(writer, "secrets", event("secrets", "secret.created"));
    {
      await using writer = await start({ clock });
      await record(writer);
      nowMs -= 60_000;
      await record(writer);
    }
    const warned: unknown[] = [];
    const told = {
      info: () => undefined,
      error: () => undefined,
      warn: (fields: unknown) => void warned.push(fields),
    };
    await using writer = await start({ clock, logger: told });
    expect(warned).toEqual([{ behind_ms: 60_000 }]);
    await record(writer);
    nowMs += 60_001;
    await record(writer);
    const began = 1_800_000_000_000;
    expect(await times()).toEqual([began, began, began, began + 1]);
  });
});

describe("addresses", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::", "::"],
    ["", null],
  ])("%s is stored as it came, and compared as %s", async (sourceIp, want) => {
    await using writer = await start();
    await append(writer, "secrets", event("secrets", "secret.created", { sourceIp }));
    const [row] = await database.query<{ source_ip: string; source: string | null }>(
      "select source_ip, host(source) as source from records",
    );
    expect(row).toEqual({ source_ip: sourceIp, source: want });
  });
});

describe("one writer", () => {
  test("a restart goes on where the log ends", async () => {
    for (const count of [3, 5]) {
      await using writer = await start();
      await append(writer, "secrets", ...upTo(count).map(() => event("secrets", "secret.created")));
    }
    expect(await seqs()).toEqual(upTo(8));
  });

  test("a second writer does not start while the first lives, and takes over when it leaves", async () => {
    const first = await start();
    await expect(start({ lockWaitMs: 0 })).rejects.toThrow("another process is writing this audit log");
    const waiting = start({ lockWaitMs: 5_000 });
    await append(first, "secrets", event("secrets", "secret.created"));
    await first[Symbol.asyncDispose]();
    await using second = await waiting;
    await append(second, "secrets", event("secrets", "secret.created"));
    expect(await seqs()).toEqual([1, 2]);
  });

  test("does not start while synchronous_commit is off", async () => {
    await setDatabase("synchronous_commit", "off");
    await expect(start()).rejects.toThrow("synchronous_commit is off");
  });

  test("comes back after its backend was killed, under load, without a gap or a repeat", async () => {
    await using writer = await start();
    const acknowledged = new Set<string>();
    let refused = 0;
    const stop = new AbortController();
    const callers = upTo(20).map(async () => {
      while (!stop.signal.aborted) {
        const made = event("secrets", "secret.created");
        for (let done = false; !done;) {
          done = await append(writer, "secrets", made).then(
            () => true,
            (error: unknown) => {
              expect(error).toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
              refused += 1;
              return new Promise<boolean>((resolve) => setTimeout(resolve, 20, false));
            },
          );
        }
        acknowledged.add(made.eventId);
      }
    });
    for (let kill = 0; kill < 3; kill += 1) {
      const before = acknowledged.size;
      await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 50), { timeout: 8_000 });
      await vi.waitFor(() => writer.ready(), { timeout: 8_000 });
      await killWriter();
    }
    const before = acknowledged.size;
    await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 50), { timeout: 8_000 });
    stop.abort();
    await Promise.all(callers);
    expect(refused).toBeGreaterThan(0);
    const stored = await seqs();
    expect(stored).toEqual(upTo(stored.length));
    const rows = await database.query<{ event_id: string }>("select event_id from records");
    expect(new Set(rows.map(({ event_id }) => event_id))).toEqual(acknowledged);
  }, 40_000);

  test("is not ready and refuses at once while it is away", async () => {
    await using writer = await start();
    await using blocker = await lockAsSoonAsFree();
    await killWriter();
    await blocker.locked;
    await expect(writer.ready()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    await expect(append(writer, "secrets", event("secrets", "secret.created"))).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
    await blocker[Symbol.asyncDispose]();
    await vi.waitFor(() => writer.ready(), { timeout: 8_000 });
    await append(writer, "secrets", event("secrets", "secret.created"));
    expect(await seqs()).toEqual([1]);
  });

  test("after an insert that failed it looks again where the log ends", async () => {
    await using writer = await start();
    await append(writer, "secrets", event("secrets", "secret.created"));
    await copyRecord(2, newId("evt"), "other");
    const made = event("secrets", "secret.created");
    await expect(append(writer, "secrets", made)).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
    await vi.waitFor(() => writer.ready(), { timeout: 8_000 });
    const [result] = await append(writer, "secrets", made);
    expect(result).toMatchObject({ status: COMMITTED, seq: 3n });
  });

  async function lockAsSoonAsFree(): Promise<{ locked: Promise<unknown> } & AsyncDisposable> {
    const session: Session = await openSession({
      url: testDatabase.servingUrl,
      applicationName: "blocker",
      statementTimeoutMs: 0,
    });
    const locked = session.query("select pg_advisory_lock(hashtext('sallyport-audit-writer'))");
    return { locked, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  }

  async function setDatabase(name: string, value: string): Promise<void> {
    await using owner = openDatabase({ url: testDatabase.ownerUrl, applicationName: "test" });
    const [row] = await owner.query<{ name: string }>("select current_database() as name");
    await owner.query(`alter database ${row?.name ?? ""} set ${name} = ${value}`);
  }
});

describe("the serving role", () => {
  test.each([
    "update records set reason = 'x'",
    "update records set attempt_id = ''",
    "delete from records",
    "truncate records",
    "drop table records",
    "alter table records disable trigger all",
    "create table other (id int)",
    "create temporary table other (id int)",
    "drop index records_read_once",
    "drop index records_request_read_once",
    "delete from schema_migrations",
    "insert into schema_migrations (name, checksum) values ('x', 'y')",
  ])("may not: %s", async (statement) => {
    await using writer = await start();
    await append(writer, "crypto", read());
    await expect(database.query(statement)).rejects.toMatchObject({ code: "42501" });
    expect(await seqs()).toEqual([1]);
  });

  test("has exactly SELECT and INSERT on the log, and nothing on any other table", async () => {
    const rows = await database.query<{ table_name: string; privilege_type: string }>(
      `select table_name, privilege_type from information_schema.table_privileges
       where table_schema = 'public' order by 1, 2`,
    );
    expect(rows.map(({ table_name, privilege_type }) => `${table_name} ${privilege_type}`)).toEqual([
      "records INSERT",
      "records SELECT",
    ]);
  });
});
