import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session } from "@sallyport/postgres";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { Record as AuditRecord } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { Known, NewRecord } from "../log/head.ts";
import { canonicalBytes } from "../log/record.ts";
import { plainAddress } from "@sallyport/proto/address";
import { storedOf } from "./refused.ts";

type Query = Pick<Session, "query">;

/** Returns the session's synchronous_commit, such as "on" or "off". */
export async function durabilityOf(session: Query): Promise<string> {
  const [row] = await session.query<{ value: string }>(
    "select current_setting('synchronous_commit') as value",
  );
  return row?.value ?? "";
}

/**
 * Takes the lock of the one writer for as long as the session lives; false when another session
 * holds it.
 */
export async function tryWriterLock(session: Query): Promise<boolean> {
  const [row] = await session.query<{ taken: boolean }>(
    "select pg_try_advisory_lock(hashtext('sallyport-audit-writer')) as taken",
  );
  return row?.taken === true;
}

/**
 * Keeps the session's look-ups on the unique indexes. A plan made while the log is small would take
 * any way through it, and be kept as it grows: each is planned again, which costs half a
 * millisecond for a batch.
 */
export async function keepToIndexes(session: Query): Promise<void> {
  for (const method of ["seqscan", "bitmapscan"]) await session.query(`set enable_${method} = off`);
  await session.query("set plan_cache_mode = force_custom_plan");
}

/** The head of a log: seq and time (milliseconds) of its newest record, both 0 for an empty log. */
export type End = { readonly lastSeq: bigint; readonly lastRecordedAtMs: number };

/** Returns the head of the log. */
export async function endOf(session: Query): Promise<End> {
  const [row] = await session.query<{ seq: bigint; recorded_at: Date }>(
    "select seq, recorded_at from records order by seq desc limit 1",
  );
  return { lastSeq: row?.seq ?? 0n, lastRecordedAtMs: row?.recorded_at.getTime() ?? 0 };
}

type KnownRow = {
  readonly seq: bigint;
  readonly event_id: string;
  readonly emitter: string;
  readonly action: string;
  readonly decision_id: string;
  readonly secret_id: string;
  readonly request_digest: Uint8Array;
  readonly attempt_id: Uint8Array;
};

const columnsKnown =
  "r.seq, r.event_id, r.emitter, r.action, r.decision_id, r.secret_id, r.request_digest, " +
  "r.attempt_id";

// "limit 1", which uniqueness makes true anyway, keeps each read's look-up one of its own: as a
// join the planner may walk all reads for it, as long as it has not learnt how many there are.
const lookUpRead = (asked: string, type: string, column: string): string =>
  `select found.* from unnest(${asked}::${type}[], $3::text[]) as asked (${column}, secret_id)
   cross join lateral (
     select ${columnsKnown} from records r
     where r.action = 'secret.read' and r.${column} = asked.${column}
       and r.secret_id = asked.secret_id limit 1
   ) as found`;
const lookUp = `select ${columnsKnown} from records r where r.event_id = any($1::text[])
  union ${lookUpRead("$2", "text", "decision_id")}
  union ${lookUpRead("$4", "bytea", "request_digest")}`;

/**
 * Finds the records that share their event id with one of the events, or their secret and either
 * decision or request with one of the reads.
 */
export async function findKnown(
  session: Query,
  events: readonly Event[],
  reads: readonly Event[],
): Promise<Known[]> {
  const rows = await session.query<KnownRow>(lookUp, [
    events.map(({ eventId }) => eventId),
    reads.map(({ decisionId }) => decisionId),
    reads.map(({ secretId }) => secretId),
    reads.map(({ requestDigest }) => Buffer.from(requestDigest)),
  ]);
  return rows.map((row) => ({
    seq: row.seq,
    eventId: row.event_id,
    emitter: row.emitter,
    action: row.action,
    decisionId: row.decision_id,
    secretId: row.secret_id,
    requestDigest: row.request_digest,
    attemptId: row.attempt_id,
  }));
}

type Column = {
  readonly name: string;
  readonly type: string;
  readonly value: (stored: NewRecord) => unknown;
};

const column = (name: string, type: string, value: (record: AuditRecord) => unknown): Column => ({
  name,
  type,
  value: ({ record }) => value(record),
});

const columns: readonly Column[] = [
  column("seq", "bigint", ({ seq }) => String(seq)),
  column("event_id", "text", ({ eventId }) => eventId),
  column('"time"', "timestamptz", ({ time }) => isoOf(time)),
  column("recorded_at", "timestamptz", ({ recordedAt }) => isoOf(recordedAt)),
  column("emitter", "text", ({ emitter }) => emitter),
  column("action", "text", ({ action }) => action),
  column("outcome", "smallint", ({ outcome }) => outcome),
  column("severity", "smallint", ({ severity }) => severity),
  column("actor_kind", "smallint", ({ actorKind }) => actorKind),
  column("actor_id", "text", ({ actorId }) => actorId),
  column("reason", "text", ({ reason }) => reason),
  column("vault_id", "text", ({ vaultId }) => vaultId),
  column("project_id", "text", ({ projectId }) => projectId),
  column("secret_id", "text", ({ secretId }) => secretId),
  column("secret_version", "bigint", ({ secretVersion }) => secretVersion),
  column("machine_id", "text", ({ machineId }) => machineId),
  column("subject_id", "text", ({ subjectId }) => subjectId),
  column("source_ip", "text", ({ sourceIp }) => sourceIp),
  column("source", "inet", ({ sourceIp }) => (sourceIp === "" ? null : plainAddress(sourceIp))),
  column("request_digest", "bytea", ({ requestDigest }) => Buffer.from(requestDigest)),
  column("decision_id", "text", ({ decisionId }) => decisionId),
  column("policy_version", "bigint", ({ policyVersion }) => policyVersion),
  column("detail", "jsonb", ({ detail }) => JSON.stringify(detail)),
  column("client", "text", ({ client }) => client),
  column("refused", "jsonb", ({ refused }) =>
    refused.length === 0 ? null : JSON.stringify(storedOf(refused)),
  ),
  { name: "attempt_id", type: "bytea", value: ({ attemptId }) => Buffer.from(attemptId) },
  column("canonical", "bytea", (record) => Buffer.from(canonicalBytes(record))),
];

const insert = `insert into records (${columns.map(({ name }) => name).join(", ")})
  select * from unnest(${columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(", ")})`;

// One statement, and so one transaction, with the records: what is listed by is there when they
// are.
const insertWithRefused = `with inserted as (${insert})
  insert into refused_secrets (vault_id, secret_id, seq)
  select * from unnest(${["text", "text", "bigint"]
    .map((type, index) => `$${columns.length + index + 1}::${type}[]`)
    .join(", ")})`;

/** Adds records, all or none. */
export async function insertRecords(session: Query, records: readonly NewRecord[]): Promise<void> {
  const values = columns.map(({ value }) => records.map(value));
  const refused = records.flatMap(({ record: { vaultId, seq, refused: all } }) =>
    all.map(({ secretId }) => ({ vaultId, secretId, seq: String(seq) })),
  );
  if (refused.length === 0) return void (await session.query(insert, values));
  await session.query(insertWithRefused, [
    ...values,
    refused.map(({ vaultId }) => vaultId),
    refused.map(({ secretId }) => secretId),
    refused.map(({ seq }) => seq),
  ]);
}

function isoOf(time: AuditRecord["time"]): string {
  return time === undefined ? "epoch" : timestampDate(time).toISOString();
}
