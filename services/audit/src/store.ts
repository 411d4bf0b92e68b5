import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import type { Database, Session } from "@sallyport/postgres";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  type ListRecordsRequest,
  Outcome,
  type Record as AuditRecord,
  RecordSchema,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import type { Known, Placed } from "./place.ts";
import { canonicalBytes } from "./record.ts";

type Query = Pick<Session, "query">;

/** Returns the session's synchronous_commit, such as "on" or "off". */
export async function durabilityOf(session: Query): Promise<string> {
  const [row] = await session.query<{ value: string }>(
    "select current_setting('synchronous_commit') as value",
  );
  return row?.value ?? "";
}

/** Takes the lock of the one writer for as long as the session lives; false when another session holds it. */
export async function tryWriterLock(session: Query): Promise<boolean> {
  const [row] = await session.query<{ taken: boolean }>(
    "select pg_try_advisory_lock(hashtext('sallyport-audit-writer')) as taken",
  );
  return row?.taken === true;
}

/** Returns the seq of the newest record; 0 for an empty log. */
export async function lastSeqOf(session: Query): Promise<bigint> {
  const [row] = await session.query<{ seq: bigint }>("select seq from records order by seq desc limit 1");
  return row?.seq ?? 0n;
}

type KnownRow = {
  readonly seq: bigint;
  readonly event_id: string;
  readonly emitter: string;
  readonly action: string;
  readonly decision_id: string;
  readonly secret_id: string;
  readonly attempt_id: Uint8Array;
};

/** Finds the records that share their event id with one of the events, or decision and secret with one of the reads. */
export async function findKnown(
  session: Query,
  events: readonly Event[],
  reads: readonly Event[],
): Promise<Known[]> {
  const columns = "r.seq, r.event_id, r.emitter, r.action, r.decision_id, r.secret_id, r.attempt_id";
  const rows = await session.query<KnownRow>(
    `select ${columns} from records r where r.event_id = any($1::text[])
     union
     select ${columns} from unnest($2::text[], $3::text[]) as asked (decision_id, secret_id)
     join records r on r.action = 'secret.read' and r.decision_id = asked.decision_id and r.secret_id = asked.secret_id`,
    [
      events.map(({ eventId }) => eventId),
      reads.map(({ decisionId }) => decisionId),
      reads.map(({ secretId }) => secretId),
    ],
  );
  return rows.map((row) => ({
    seq: row.seq,
    eventId: row.event_id,
    emitter: row.emitter,
    action: row.action,
    decisionId: row.decision_id,
    secretId: row.secret_id,
    attemptId: row.attempt_id,
  }));
}

type Column = { readonly name: string; readonly type: string; readonly value: (placed: Placed) => unknown };

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
  column("request_digest", "bytea", ({ requestDigest }) => Buffer.from(requestDigest)),
  column("decision_id", "text", ({ decisionId }) => decisionId),
  column("policy_version", "bigint", ({ policyVersion }) => policyVersion),
  column("detail", "jsonb", ({ detail }) => JSON.stringify(detail)),
  { name: "attempt_id", type: "bytea", value: ({ attemptId }) => Buffer.from(attemptId) },
  column("canonical", "bytea", (record) => Buffer.from(canonicalBytes(record))),
];

const insert = `insert into records (${columns.map(({ name }) => name).join(", ")})
  select * from unnest(${columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(", ")})`;

/** Adds records, all or none. */
export async function insertRecords(session: Query, placed: readonly Placed[]): Promise<void> {
  await session.query(
    insert,
    columns.map(({ value }) => placed.map(value)),
  );
}

function isoOf(time: AuditRecord["time"]): string {
  return time === undefined ? "epoch" : timestampDate(time).toISOString();
}

type RecordRow = {
  readonly seq: bigint;
  readonly event_id: string;
  readonly time: Date;
  readonly recorded_at: Date;
  readonly emitter: string;
  readonly action: string;
  readonly outcome: number;
  readonly severity: number;
  readonly actor_kind: number;
  readonly actor_id: string;
  readonly reason: string;
  readonly vault_id: string;
  readonly project_id: string;
  readonly secret_id: string;
  readonly secret_version: bigint;
  readonly machine_id: string;
  readonly subject_id: string;
  readonly source_ip: string;
  readonly request_digest: Uint8Array;
  readonly decision_id: string;
  readonly policy_version: bigint;
  readonly detail: { readonly [key: string]: string };
};

const recordColumns = columns
  .map(({ name }) => name)
  .filter((name) => name !== "attempt_id" && name !== "canonical")
  .join(", ");

/** Which records to list: those of the vault below a seq that pass the request's filters. */
export type Listing = {
  readonly vaultId: string;
  /** Undefined begins at the newest. */
  readonly belowSeq: bigint | undefined;
  readonly limit: number;
  readonly filters: Pick<
    ListRecordsRequest,
    "actions" | "outcome" | "machineId" | "secretId" | "projectId" | "actorId"
  >;
};

/** Returns records of a vault, newest first. */
export async function listRecords(
  database: Pick<Database, "query">,
  listing: Listing,
): Promise<AuditRecord[]> {
  const { vaultId, belowSeq, limit, filters } = listing;
  const values: unknown[] = [];
  const conditions = [
    { sql: "vault_id = ?", used: true, value: vaultId },
    { sql: "seq < ?", used: belowSeq !== undefined, value: String(belowSeq) },
    { sql: "action = any(?::text[])", used: filters.actions.length > 0, value: filters.actions },
    { sql: "outcome = ?", used: filters.outcome !== Outcome.UNSPECIFIED, value: filters.outcome },
    { sql: "machine_id = ? and machine_id <> ''", used: filters.machineId !== "", value: filters.machineId },
    { sql: "secret_id = ? and secret_id <> ''", used: filters.secretId !== "", value: filters.secretId },
    { sql: "project_id = ? and project_id <> ''", used: filters.projectId !== "", value: filters.projectId },
    { sql: "actor_id = ?", used: filters.actorId !== "", value: filters.actorId },
  ]
    .filter(({ used }) => used)
    .map(({ sql, value }) => sql.replace("?", `$${values.push(value)}`));
  const rows = await database.query<RecordRow>(
    `select ${recordColumns} from records where ${conditions.join(" and ")}
     order by seq desc limit $${values.push(limit)}`,
    values,
  );
  return rows.map(recordOfRow);
}

/** Returns the vault's record of an event, or undefined. */
export async function findRecord(
  database: Pick<Database, "query">,
  vaultId: string,
  eventId: string,
): Promise<AuditRecord | undefined> {
  const [row] = await database.query<RecordRow>(
    `select ${recordColumns} from records where event_id = $1 and vault_id = $2`,
    [eventId, vaultId],
  );
  return row && recordOfRow(row);
}

function recordOfRow(row: RecordRow): AuditRecord {
  return create(RecordSchema, {
    seq: row.seq,
    eventId: row.event_id,
    time: timestampFromDate(row.time),
    recordedAt: timestampFromDate(row.recorded_at),
    emitter: row.emitter,
    action: row.action,
    outcome: row.outcome,
    severity: row.severity,
    actorKind: row.actor_kind,
    actorId: row.actor_id,
    reason: row.reason,
    vaultId: row.vault_id,
    projectId: row.project_id,
    secretId: row.secret_id,
    secretVersion: Number(row.secret_version),
    machineId: row.machine_id,
    subjectId: row.subject_id,
    sourceIp: row.source_ip,
    requestDigest: row.request_digest,
    decisionId: row.decision_id,
    policyVersion: Number(row.policy_version),
    detail: { ...row.detail },
  });
}
