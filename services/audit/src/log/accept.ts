import { type Emitter, ruleOf } from "@sallyport/proto/catalogue";
import type { Event } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import type { Severity } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { type Peer, fail } from "@sallyport/rpc";
import { isAddress } from "@sallyport/proto/address";

/**
 * The action of which a decision and a signed request allow one record for each secret (LOG.md §3).
 */
export const readAction = "secret.read";

const deniedAction = "secret.read.denied";

/** An event that the log will take, with what the catalogue and the certificate say about it. */
export type Accepted = {
  readonly event: Event;
  readonly emitter: Emitter;
  readonly severity: Severity;
};

const attemptIdBytes = 16;
const requestDigestBytes = 32;
const earliestSeconds = 946_684_800n; // 2000-01-01
const latestSeconds = 253_402_300_799n; // 9999-12-31

/**
 * Says whether the log takes an event only while its machine, and the token that this came of, have
 * room for it (LOG.md §7): what a machine can cause as often as it likes.
 */
export function isBounded({ action, machineId }: Pick<Event, "action" | "machineId">): boolean {
  return (action === readAction || action === deniedAction) && machineId !== "";
}

/**
 * Checks an event against the catalogue. Throws Failure PEER_NOT_ALLOWED when the peer may not
 * report the action, and FIELD_INVALID when the event is not one that the catalogue allows or that
 * the database can store.
 */
export function acceptEvent(event: Event, peer: Peer): Accepted {
  const rule = ruleOf(event.action);
  const emitter = rule?.emitters.find((name) => name === peer);
  if (rule === undefined || emitter === undefined) throw fail(Reason.PEER_NOT_ALLOWED);
  if (!rule.outcomes.includes(event.outcome))
    throw invalid("outcome", "is not one that the catalogue allows");
  if (!Object.keys(event.detail).every((key) => rule.detail.includes(key)))
    throw invalid("detail", "has a key that the catalogue does not allow");
  checkTime(event);
  checkTexts(event);
  if (event.sourceIp !== "" && !isAddress(event.sourceIp))
    throw invalid("source_ip", "is not an address");
  if (event.action === readAction) checkRead(event);
  checkRefused(event);
  return { event, emitter, severity: rule.severity };
}

function checkTime({ time }: Event): void {
  const known =
    time !== undefined && time.seconds >= earliestSeconds && time.seconds <= latestSeconds;
  if (!known || time.nanos < 0 || time.nanos > 999_999_999)
    throw invalid("time", "is not a time of this log");
}

// Postgres takes no NUL in a text, and one event that it refuses would fail the batch of everybody.
function checkTexts(event: Event): void {
  const values: unknown[] = [
    ...Object.values(event),
    ...Object.keys(event.detail),
    ...Object.values(event.detail),
    ...event.refused.flatMap(({ secretId, reason }) => [secretId, reason]),
  ];
  if (values.some((value) => typeof value === "string" && value.includes("\u0000")))
    throw invalid("text", "has a NUL character");
}

function checkRead({ decisionId, secretId, requestDigest, attemptId, machineId }: Event): void {
  if (machineId === "") throw invalid("machine_id", "is needed for a read");
  if (decisionId === "") throw invalid("decision_id", "is needed for a read");
  if (secretId === "") throw invalid("secret_id", "is needed for a read");
  if (requestDigest.length !== requestDigestBytes)
    throw invalid("request_digest", "has 32 bytes in a read");
  if (attemptId.length !== attemptIdBytes) throw invalid("attempt_id", "has 16 bytes in a read");
}

// A secret that is named twice would be found twice, and its second row would fail the batch of
// everybody.
function checkRefused({ action, secretId, refused }: Event): void {
  if (refused.length === 0) return;
  if (action !== deniedAction) throw invalid("refused", "is for denied reads");
  const ids = new Set([secretId, ...refused.map((one) => one.secretId)]);
  if (ids.size !== refused.length + 1) throw invalid("refused", "names a secret twice");
}

function invalid(field: string, description: string) {
  return fail(Reason.FIELD_INVALID, { field, description });
}
