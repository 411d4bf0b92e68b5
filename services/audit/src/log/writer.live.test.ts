import { createHash } from "node:crypto";
import { openSession } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalBytes } from "./record.ts";
import { findKnown, keepToIndexes } from "../store/log.ts";
import { findRecord } from "../store/records.ts";
import { explaining } from "../testing/plan.ts";
import { type TestLog, append, createTestLog, event, read, upTo } from "../testing/writer.ts";
import type { Writer } from "./writer.ts";

let log: TestLog;
beforeEach(async () => (log = await createTestLog()));
afterEach(() => log[Symbol.asyncDispose]());

describe("many at once", () => {
  test("2,000 events of 50 callers: every one is there once, and no seq is missing", async () => {
    await using writer = await log.start();
    const callers = upTo(50).map(async () => {
      const taken: { eventId: string; seq: bigint }[] = [];
      for (let call = 0; call < 20; call += 1) {
        const events = [
          event("secrets", "secret.created"),
          event("secrets", "secret.version.added"),
        ];
        const results = await append(writer, "secrets", ...events);
        expect(results.map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));
        taken.push(...results);
      }
      return taken;
    });
    const taken = (await Promise.all(callers)).flat();
    expect(await log.seqs()).toEqual(upTo(2_000));
    const rows = await log.database.query<{ event_id: string; seq: bigint }>(
      "select event_id, seq from records",
    );
    const stored = new Map(rows.map(({ event_id, seq }) => [event_id, seq]));
    expect(taken.every(({ eventId, seq }) => stored.get(eventId) === seq)).toBe(true);
    expect(stored.size).toBe(2_000);
  });

  test("calls that wait share a transaction", async () => {
    await using writer = await log.start();
    await Promise.all(
      upTo(100).map(() => append(writer, "secrets", event("secrets", "secret.created"))),
    );
    const [row] = await log.database.query<{ transactions: number }>(
      "select count(distinct xmin::text)::int as transactions from records",
    );
    expect(row?.transactions).toBeLessThanOrEqual(3);
  });

  test("a full queue refuses at once, with a retry delay, and takes events again later", async () => {
    await using writer = await log.start({ capacity: 2 });
    const one = append(writer, "secrets", event("secrets", "secret.created"));
    const two = append(writer, "secrets", event("secrets", "secret.created"));
    await expect(
      append(writer, "secrets", event("secrets", "secret.created")),
    ).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
      retryAfterMs: expect.any(Number) as number,
    });
    await Promise.all([one, two]);
    await append(writer, "secrets", event("secrets", "secret.created"));
    expect(await log.seqs()).toEqual([1, 2, 3]);
  });
});

test("a batch is looked up by itself, also while Postgres has not learnt what is in the log", async () => {
  await using writer = await log.start();
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
  await using session = await openSession({ url: log.urls.servingUrl, applicationName: "test" });
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

describe("what is stored", () => {
  test("reads back as the record whose canonical bytes are stored", async () => {
    await using writer = await log.start({ clock: () => 1_800_000_000_123 });
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
    const record = await findRecord(log.database, ["vlt_1"], made.eventId);
    const [row] = await log.database.query<{ canonical: Uint8Array }>(
      "select canonical from records",
    );
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
    const rows = await log.database.query<{ recorded_at: Date }>(
      "select recorded_at from records order by seq",
    );
    return rows.map(({ recorded_at }) => recorded_at.getTime());
  }

  test("goes with seq: a clock that is set back is not followed, also not by the next writer", async () => {
    let nowMs = 1_800_000_000_000;
    const clock = () => nowMs;
    const record = (writer: Writer) =>
      append(writer, "secrets", event("secrets", "secret.created"));
    {
      await using writer = await log.start({ clock });
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
    await using writer = await log.start({ clock, logger: told });
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
    await using writer = await log.start();
    await append(writer, "secrets", event("secrets", "secret.created", { sourceIp }));
    const [row] = await log.database.query<{ source_ip: string; source: string | null }>(
      "select source_ip, host(source) as source from records",
    );
    expect(row).toEqual({ source_ip: sourceIp, source: want });
  });
});
