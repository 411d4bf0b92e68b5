import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Database } from "@sallyport/postgres";
import {
  type ActorKind,
  type ListRecordsRequest,
  Outcome,
  type Record as AuditRecord,
  RecordSchema,
  type Severity,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";

type RecordRow = {
  readonly seq: bigint;
  readonly event_id: string;
  readonly time: Date;
  readonly recorded_at: Date;
  readonly emitter: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly severity: Severity;
  readonly actor_kind: ActorKind;
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
  readonly client: string;
};

const columns = `seq, event_id, "time", recorded_at, emitter, action, outcome, severity, actor_kind, actor_id, reason,
  vault_id, project_id, secret_id, secret_version, machine_id, subject_id, source_ip, request_digest, decision_id,
  policy_version, detail, client`;

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
    `select ${columns} from records where ${conditions.join(" and ")}
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
    `select ${columns} from records where event_id = $1 and vault_id = $2`,
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
    client: row.client,
  });
}
