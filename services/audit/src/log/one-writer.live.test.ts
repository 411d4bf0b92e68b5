import { type Session, openDatabase, openSession } from "@sallyport/postgres";
import { AppendStatus } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type TestLog, append, createTestLog, event, upTo } from "../testing/writer.ts";

const { COMMITTED } = AppendStatus;

let log: TestLog;
beforeEach(async () => (log = await createTestLog()));
afterEach(() => log[Symbol.asyncDispose]());

async function killWriter(): Promise<void> {
  const killed = await log.database.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'sallyport-audit-writer' and datname = current_database()`,
  );
  expect(killed).toHaveLength(1);
}

test("a restart goes on where the log ends", async () => {
  for (const count of [3, 5]) {
    await using writer = await log.start();
    await append(writer, "secrets", ...upTo(count).map(() => event("secrets", "secret.created")));
  }
  expect(await log.seqs()).toEqual(upTo(8));
});

test("a second writer does not start while the first lives, and takes over when it leaves", async () => {
  const first = await log.start();
  await expect(log.start({ lockWaitMs: 0 })).rejects.toThrow(
    "another process is writing this audit log",
  );
  const waiting = log.start({ lockWaitMs: 5_000 });
  await append(first, "secrets", event("secrets", "secret.created"));
  await first[Symbol.asyncDispose]();
  await using second = await waiting;
  await append(second, "secrets", event("secrets", "secret.created"));
  expect(await log.seqs()).toEqual([1, 2]);
});

test("does not start while synchronous_commit is off", async () => {
  await setDatabase("synchronous_commit", "off");
  await expect(log.start()).rejects.toThrow("synchronous_commit is off");
});

test("comes back after its backend was killed, under load, without a gap or a repeat", async () => {
  await using writer = await log.start();
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
    await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 50), {
      timeout: 8_000,
    });
    await vi.waitFor(() => writer.ready(), { timeout: 8_000 });
    await killWriter();
  }
  const before = acknowledged.size;
  await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 50), {
    timeout: 8_000,
  });
  stop.abort();
  await Promise.all(callers);
  expect(refused).toBeGreaterThan(0);
  const stored = await log.seqs();
  expect(stored).toEqual(upTo(stored.length));
  const rows = await log.database.query<{ event_id: string }>("select event_id from records");
  expect(new Set(rows.map(({ event_id }) => event_id))).toEqual(acknowledged);
}, 40_000);

test("is not ready and refuses at once while it is away", async () => {
  await using writer = await log.start();
  await using blocker = await lockAsSoonAsFree();
  await killWriter();
  await blocker.locked;
  await expect(writer.ready()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  await expect(append(writer, "secrets", event("secrets", "secret.created"))).rejects.toMatchObject(
    {
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    },
  );
  await blocker[Symbol.asyncDispose]();
  await vi.waitFor(() => writer.ready(), { timeout: 8_000 });
  await append(writer, "secrets", event("secrets", "secret.created"));
  expect(await log.seqs()).toEqual([1]);
});

test("after an insert that failed it looks again where the log ends", async () => {
  await using writer = await log.start();
  await append(writer, "secrets", event("secrets", "secret.created"));
  await log.copyRecord(2, newId("evt"), "other");
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
    url: log.urls.servingUrl,
    applicationName: "blocker",
    statementTimeoutMs: 0,
  });
  const locked = session.query("select pg_advisory_lock(hashtext('sallyport-audit-writer'))");
  return { locked, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
}

async function setDatabase(name: string, value: string): Promise<void> {
  await using owner = openDatabase({ url: log.urls.ownerUrl, applicationName: "test" });
  const [row] = await owner.query<{ name: string }>("select current_database() as name");
  await owner.query(`alter database ${row?.name ?? ""} set ${name} = ${value}`);
}
