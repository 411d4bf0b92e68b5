import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Database } from "@sallyport/postgres";
import {
  type ActorKind,
  type Outcome,
  type Record as AuditRecord,
  RecordSchema,
  type Severity,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { type StoredRefused, refusedOf } from "./refused.ts";

/** A row of recordColumns. */
export type RecordRow = {
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
  readonly refused: StoredRefused | null;
};

/** The columns of a record, in the order of its fields. */
export const recordColumns = `seq, event_id, "time", recorded_at, emitter, action, outcome,
  severity, actor_kind, actor_id, reason, vault_id, project_id, secret_id, secret_version,
  machine_id, subject_id, source_ip, request_digest, decision_id, policy_version, detail, client,
  refused`;

/** Returns the record of an event that belongs to one of the vaults, or undefined. */
export async function findRecord(
  database: Pick<Database, "query">,
  vaultIds: readonly string[],
  eventId: string,
): Promise<AuditRecord | undefined> {
  const [row] = await database.query<RecordRow>(
    `select ${recordColumns} from records where event_id = $1 and vault_id = any($2::text[])`,
    [eventId, vaultIds],
  );
  return row && recordOfRow(row);
}

/** Makes the record of its row. */
export function recordOfRow(row: RecordRow): AuditRecord {
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
    refused: refusedOf(row.refused),
  });
}
