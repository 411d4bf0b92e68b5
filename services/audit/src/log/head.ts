import { create } from "@bufbuild/protobuf";
import {
  type AppendResult,
  AppendResultSchema,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { Record as AuditRecord } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Failure, toRefusal } from "@sallyport/rpc";
import { type Accepted, isBounded, readAction } from "./accept.ts";
import { type RecordBudget, type Verdict, weightOf } from "./budget.ts";
import { recordOf } from "./record.ts";

/** The part of a record by which a repeated event is recognised. */
export type Known = {
  readonly seq: bigint;
  readonly eventId: string;
  readonly emitter: string;
  readonly action: string;
  readonly decisionId: string;
  readonly secretId: string;
  readonly requestDigest: Uint8Array;
  readonly attemptId: Uint8Array;
};

/** A record that is to be stored, with the attempt that it came from. */
export type NewRecord = { readonly record: AuditRecord; readonly attemptId: Uint8Array };

/**
 * The head of the log where a batch begins: the last seq, when the batch is recorded
 * (milliseconds), and what may be recorded.
 */
export type Head = {
  readonly lastSeq: bigint;
  readonly recordedAtMs: number;
  readonly budget: RecordBudget;
};

/**
 * Says whether an event is a read, of which a decision and a signed request allow one for each
 * secret.
 */
export function isRead({ action }: Pick<Event, "action">): boolean {
  return action === readAction;
}

/**
 * Decides what becomes of each event of a batch, in order, and gives every new one the next seq, so
 * that what is refused or repeated leaves no gap. `known` holds the records that share an event id
 * with the batch, or as reads a secret and its decision or request (LOG.md §3). What the budget has
 * no room for is limited; its alarms come last (LOG.md §7).
 */
export function sequenceBatch(
  batch: readonly Accepted[],
  known: readonly Known[],
  { lastSeq, recordedAtMs, budget }: Head,
): { results: AppendResult[]; records: NewRecord[] } {
  const index = createIndex(known);
  const admission = createAdmission(batch, budget, (event) => index.find(event) === undefined);
  const records: NewRecord[] = [];
  const append = ({ event, emitter, severity }: Accepted): bigint => {
    const seq = lastSeq + BigInt(records.length) + 1n;
    const record = recordOf(event, { seq, recordedAtMs, emitter, severity });
    records.push({ record, attemptId: event.attemptId });
    index.add({ ...record, attemptId: event.attemptId });
    return seq;
  };
  const results = batch.map((accepted) => {
    const { event, emitter } = accepted;
    const earlier = index.find(event);
    if (earlier) return resultOf(event, isSame(earlier, event, emitter) ? earlier.seq : undefined);
    const waitMs = admission.waitMs(event);
    return waitMs > 0 ? limited(event, waitMs) : resultOf(event, append(accepted));
  });
  for (const alarm of admission.alarms()) append(alarm);
  return { results, records };
}

/**
 * Asks the budget once for all records of one read attempt, so that a read is recorded completely
 * or not at all: a refused attempt must leave no records of values that were not delivered.
 */
function createAdmission(
  batch: readonly Accepted[],
  budget: RecordBudget,
  isNew: (event: Event) => boolean,
) {
  const bounded = batch.map(({ event }) => event).filter(isBounded);
  const attempts = Map.groupBy(bounded, attemptOf);
  const verdicts = new Map<string, Verdict>();
  function judge(event: Event): Verdict {
    const attempt = attemptOf(event);
    const known = verdicts.get(attempt);
    if (known) return known;
    const fresh = (attempts.get(attempt) ?? []).filter(isNew);
    // By id: a call that was repeated may stand in the batch twice.
    const weights = new Map(fresh.map((one) => [one.eventId, weightOf(one)]));
    const verdict = budget.take(event, sum(weights.values()));
    verdicts.set(attempt, verdict);
    return verdict;
  }
  return {
    waitMs(event: Event): number {
      if (isBounded(event)) return judge(event).waitMs;
      if (event.originId !== "") budget.charge(event);
      return 0;
    },
    alarms: () => [...verdicts.values()].flatMap(({ alarms }) => alarms),
  };
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((all, one) => all + one, 0);
}

// A denial is one event and has no attempt.
function attemptOf({ attemptId, eventId, machineId }: Event): string {
  const attempt = attemptId.length === 0 ? eventId : Buffer.from(attemptId).toString("hex");
  return `${machineId} ${attempt}`;
}

function createIndex(known: readonly Known[]) {
  const byEvent = new Map<string, Known>();
  const byDecision = new Map<string, Known>();
  const byRequest = new Map<string, Known>();
  const add = (record: Known): void => {
    byEvent.set(record.eventId, record);
    if (!isRead(record)) return;
    byDecision.set(decisionKey(record), record);
    byRequest.set(requestKey(record), record);
  };
  known.forEach(add);
  const findRead = (event: Event): Known | undefined =>
    byDecision.get(decisionKey(event)) ?? byRequest.get(requestKey(event));
  const find = (event: Event): Known | undefined =>
    byEvent.get(event.eventId) ?? (isRead(event) ? findRead(event) : undefined);
  return { add, find };
}

// Security: an event id counts as a repeat only for the event that it named first. Else a record of
// another kind, under an id chosen to collide, could stand in for the record of a read.
function isSame(earlier: Known, event: Event, emitter: string): boolean {
  const sameThing =
    earlier.emitter === emitter &&
    earlier.action === event.action &&
    earlier.decisionId === event.decisionId &&
    earlier.secretId === event.secretId &&
    Buffer.compare(earlier.requestDigest, event.requestDigest) === 0;
  if (!sameThing) return false;
  return (
    earlier.eventId === event.eventId || Buffer.compare(earlier.attemptId, event.attemptId) === 0
  );
}

function decisionKey({ decisionId, secretId }: Pick<Known, "decisionId" | "secretId">): string {
  return JSON.stringify([decisionId, secretId]);
}

function requestKey({
  requestDigest,
  secretId,
}: Pick<Known, "requestDigest" | "secretId">): string {
  return JSON.stringify([Buffer.from(requestDigest).toString("hex"), secretId]);
}

function resultOf({ eventId }: Event, seq: bigint | undefined): AppendResult {
  const status = seq === undefined ? AppendStatus.CONFLICT : AppendStatus.COMMITTED;
  return create(AppendResultSchema, { eventId, status, seq: seq ?? 0n });
}

function limited({ eventId }: Event, waitMs: number): AppendResult {
  const refusal = toRefusal(new Failure(Reason.RATE_LIMITED, { retryAfterMs: waitMs }));
  return create(AppendResultSchema, { eventId, status: AppendStatus.LIMITED, refusal });
}
