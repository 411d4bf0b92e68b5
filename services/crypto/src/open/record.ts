import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  type AppendResult,
  type AppendService,
  AppendStatus,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail, failureOf, fromRefusal } from "@sallyport/rpc";
import type { Receipt } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import type { VerifiedRead } from "./verify.ts";

/** The one thing that crypto asks of audit. */
export type Append = Pick<Client<typeof AppendService>, "append">;

/** The origin of a read, as the gateway asserts it: address and program. */
export type Origin = { readonly sourceIp: string; readonly client: string };

const attemptTimeoutMs = 1_500;
const pausesMs = [50, 250];
const attemptIdBytes = 16;

/** The log's receipts by secret id; of a log that gives none, nothing. */
export type Receipts = ReadonlyMap<string, Receipt>;

/**
 * Records every secret of a read and resolves when all records are committed, with the log's
 * receipts for them; only then may anything be opened. Throws Failure ALREADY_RECORDED when the
 * permit was used before, DEPENDENCY_UNAVAILABLE when audit does not confirm, RATE_LIMITED when the
 * machine or its token caused too many records, INTERNAL when audit refuses.
 */
export async function recordReads(
  read: VerifiedRead,
  origin: Origin,
  audit: Append,
  nowMs: number,
): Promise<Receipts> {
  const receipts = new Map<string, Receipt>();
  if (read.secrets.length === 0) return receipts;
  const events = eventsOf(read, origin, nowMs);
  const results = await appended(events, audit);
  for (const { eventId, secretId } of events) {
    const { status, refusal, receipt } = results.get(eventId) ?? {};
    if (status === AppendStatus.LIMITED && refusal) throw fromRefusal(refusal);
    if (status === AppendStatus.CONFLICT) throw fail(Reason.ALREADY_RECORDED);
    // One that the log never takes, and those beside it: asking again is of no use, the fault is
    // ours.
    if (status === AppendStatus.REFUSED || status === AppendStatus.HELD_BACK)
      throw fail(Reason.INTERNAL, {}, new Error("audit refused a read's record"));
    if (status !== AppendStatus.COMMITTED)
      throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("audit did not confirm an event"));
    if (receipt) receipts.set(secretId, receipt);
  }
  return receipts;
}

// The same events with the same ids each time: when only the acknowledgement was lost, audit knows
// its own record again.
async function appended(events: Event[], audit: Append): Promise<Map<string, AppendResult>> {
  for (const pauseMs of [...pausesMs, undefined]) {
    try {
      const { results } = await audit.append({ events }, { timeoutMs: attemptTimeoutMs });
      return new Map(results.map((result) => [result.eventId, result]));
    } catch (error) {
      const failure = failureOf(error);
      if (failure.reason !== Reason.DEPENDENCY_UNAVAILABLE)
        throw fail(Reason.INTERNAL, {}, failure);
      if (pauseMs === undefined) throw failure;
      await sleep(pauseMs);
    }
  }
  throw fail(Reason.INTERNAL, {}, new Error("no attempt was made"));
}

function eventsOf(
  { machineId, originId, requestDigest, permit, secrets, recipient }: VerifiedRead,
  { sourceIp, client }: Origin,
  nowMs: number,
): Event[] {
  const attemptId = randomBytes(attemptIdBytes);
  const facts = new Map(permit.secrets.map((secret) => [secret.secretId, secret.facts]));
  return secrets.map(({ vaultId, projectId, secretId, name, version, requestedVersion }) =>
    newEvent("crypto", "secret.read", {
      time: timestampFromMs(nowMs),
      actorKind: ActorKind.MACHINE,
      actorId: machineId,
      machineId,
      originId,
      vaultId,
      projectId,
      secretId,
      secretVersion: version,
      sourceIp,
      client,
      requestDigest,
      decisionId: permit.decisionId,
      policyVersion: permit.policyVersion,
      attemptId,
      detail: {
        ...facts.get(secretId),
        name,
        selector: requestedVersion === 0 ? "current" : String(requestedVersion),
        sealed: String(recipient !== undefined),
      },
    }),
  );
}
