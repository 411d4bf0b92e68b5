import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Emitter } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import {
  type Record as AuditRecord,
  RecordSchema,
  type Severity,
} from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { labelled, lengthPrefixed } from "@sallyport/proto/signing";

/** The domain label of a record's canonical bytes (LOG.md §4). */
export const recordLabel = "sallyport-record-v3";

/**
 * The fields that the log adds to an event to make a record of it; times are milliseconds since the
 * epoch.
 */
export type LogFields = {
  readonly seq: bigint;
  readonly recordedAtMs: number;
  readonly emitter: Emitter;
  readonly severity: Severity;
};

/**
 * Makes the record of an event. Its time is cut to milliseconds, which is what the log keeps
 * (LOG.md §2).
 */
export function recordOf(
  event: Event,
  { seq, recordedAtMs, emitter, severity }: LogFields,
): AuditRecord {
  return create(RecordSchema, {
    seq,
    eventId: event.eventId,
    time: timestampFromMs(event.time === undefined ? recordedAtMs : millisecondsOf(event.time)),
    recordedAt: timestampFromMs(recordedAtMs),
    emitter,
    action: event.action,
    outcome: event.outcome,
    severity,
    actorKind: event.actorKind,
    actorId: event.actorId,
    reason: event.reason,
    vaultId: event.vaultId,
    projectId: event.projectId,
    secretId: event.secretId,
    secretVersion: event.secretVersion,
    machineId: event.machineId,
    subjectId: event.subjectId,
    sourceIp: event.sourceIp,
    requestDigest: event.requestDigest,
    decisionId: event.decisionId,
    policyVersion: event.policyVersion,
    detail: event.detail,
    client: event.client,
    refused: event.refused,
  });
}

/** Returns whole milliseconds since the epoch; the rest is cut off, not rounded. */
export function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}

/**
 * Returns the canonical bytes of a record: equal for equal records, different for different ones
 * (LOG.md §4).
 */
export function canonicalBytes(record: AuditRecord): Uint8Array<ArrayBuffer> {
  const fields = [
    u64(record.seq),
    record.eventId,
    milliseconds(record.time),
    milliseconds(record.recordedAt),
    record.emitter,
    record.action,
    u32(record.outcome),
    u32(record.severity),
    u32(record.actorKind),
    record.actorId,
    record.reason,
    record.vaultId,
    record.projectId,
    record.secretId,
    u32(record.secretVersion),
    record.machineId,
    record.subjectId,
    record.sourceIp,
    record.requestDigest,
    record.decisionId,
    u32(record.policyVersion),
    detailBytes(record.detail),
    record.client,
    refusedBytes(record.refused),
  ];
  return labelled(recordLabel, lengthPrefixed(...fields));
}

function detailBytes(detail: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(detail).map(([key, value]) => ({ key: Buffer.from(key), value }));
  // By bytes and not by UTF-16 units, so that every language sorts the same.
  pairs.sort((one, other) => Buffer.compare(one.key, other.key));
  return lengthPrefixed(...pairs.flatMap(({ key, value }) => [key, value]));
}

function refusedBytes(refused: AuditRecord["refused"]): Uint8Array {
  return lengthPrefixed(...refused.flatMap(({ secretId, reason }) => [secretId, reason]));
}

function milliseconds(time: Timestamp | undefined): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(time === undefined ? 0 : millisecondsOf(time)));
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
