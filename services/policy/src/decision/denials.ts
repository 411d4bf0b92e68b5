import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { newEvent } from "@sallyport/proto/catalogue";
import {
  AppendStatus,
  type AppendService,
  type Event,
} from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { AuthorizeItem } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { enumName } from "@sallyport/proto/names";
import type { Refusal, Tally } from "@sallyport/audit-events";
import { type Buckets, type Rate, createBuckets } from "@sallyport/rate-limit";
import { Failure } from "@sallyport/rpc";
import { counter } from "@sallyport/telemetry";
import type { Decided, Decision } from "./decide.ts";
import { POLICY_VERSION, type Verdict } from "./evaluate.ts";

const refusals = counter("sallyport.secret.refusals");

/** The one method of audit that a decision needs. */
export type Audit = Pick<Client<typeof AppendService>, "append">;

/**
 * A decision to be recorded, with what was asked and the enrollment token that the machine came of,
 * if it is known.
 */
export type Decisive = {
  readonly item: AuthorizeItem;
  readonly decisionId: string;
  readonly decision: Decision;
  readonly originId: string;
  readonly nowMs: number;
};

/**
 * The rate of denials per machine that have a record of their own: 100 at once, 100 per minute.
 */
export const denialRate: Rate = { perSecond: 100 / 60, burst: 100 };

/** The greatest number of refused secrets that a record lists. */
export const listedSecrets = 16;

/** Puts denials on record. */
export type DenialLog = {
  /**
   * Resolves when the decision is on record, or refuses nothing. Throws Failure RATE_LIMITED when
   * its machine, or the token that the machine came of, was refused too often: the denial is
   * counted then, and the decision must not be answered. Rejects when it could not be recorded.
   */
  record(decisive: Decisive): Promise<void>;
};

/** Makes the log of denials; the clock is monotonic, in milliseconds. */
export function createDenialLog(
  audit: Audit,
  note: Tally["note"],
  clock: () => number,
  budgets: Buckets = createBuckets(denialRate, clock),
): DenialLog {
  return {
    async record(decisive) {
      const denial = denialOf(decisive);
      if (!denial) return;
      refusals({ reason: denial.reason });
      const waitMs = budgets.take(decisive.item.machineId) || (await append(audit, denial));
      if (waitMs === 0) return;
      await note(exceeding(decisive, denial));
      throw new Failure(Reason.RATE_LIMITED, { retryAfterMs: waitMs });
    },
  };
}

// Returns 0 when the log has it, or how long it takes none of this machine.
async function append(audit: Audit, denial: Event): Promise<number> {
  const { results } = await audit.append({ events: [denial] });
  const result = results.find(({ eventId }) => eventId === denial.eventId);
  if (result?.status === AppendStatus.COMMITTED) return 0;
  const { retryAfter } = result?.refusal ?? {};
  if (result?.status === AppendStatus.LIMITED && retryAfter)
    return Math.max(1, durationMs(retryAfter));
  throw new Error("the log did not take a denial");
}

/** The record of a decision, or undefined when it refuses nothing. */
export function denialOf({
  item,
  decisionId,
  decision,
  originId,
  nowMs,
}: Decisive): Event | undefined {
  const refused = decision.secrets.flatMap(refusedOf);
  const [first] = refused;
  const denial = decision.denial ?? first?.denials[0];
  if (!denial) return undefined;
  const only = refused.length === 1 ? first : undefined;
  const failed = new Set(refused.flatMap(({ denials }) => denials.map(({ reason }) => reason)));
  return newEvent("policy", "secret.read.denied", {
    ...aboutMachine(item, nowMs),
    reason: reasonText(denial.reason),
    projectId: only ? only.projectId : projectOf(refused, item),
    secretId: only?.secretId ?? "",
    refused: only ? [] : listed(refused),
    secretVersion: item.requestedVersion,
    requestDigest: item.requestDigest,
    decisionId,
    originId,
    policyVersion: POLICY_VERSION,
    detail: {
      selector: selectorOf(item),
      ...(refused.length > 1 ? { secrets: String(refused.length) } : {}),
      ...(failed.size > 1 ? { failed: [...failed].map(reasonText).join(",") } : {}),
    },
  });
}

type RefusedSecret = Omit<Decided, "verdict"> & Pick<Extract<Verdict, { kind: "deny" }>, "denials">;

function refusedOf({ verdict, ...secret }: Decided): RefusedSecret[] {
  return verdict.kind === "deny" ? [{ ...secret, denials: verdict.denials }] : [];
}

// Those that exist come first: names that were made up must not push them out of the list.
function listed(refused: readonly RefusedSecret[]) {
  const known = refused.filter(({ projectId }) => projectId !== "");
  const unknown = refused.filter(({ projectId }) => projectId === "");
  return [...known, ...unknown]
    .slice(0, listedSecrets)
    .map(({ secretId, denials: [{ reason }] }) => ({ secretId, reason: reasonText(reason) }));
}

// The project when there is only one: the one asked for, or that of everything refused.
function projectOf(refused: readonly RefusedSecret[], { projectId }: AuthorizeItem): string {
  const projects = new Set(refused.map((secret) => secret.projectId));
  const [only = ""] = projects;
  return projects.size === 1 ? only : projectId;
}

// Denials beyond the budget of a machine: the first is recorded at once, then one record per minute
// counts them.
function exceeding({ item, nowMs }: Decisive, { reason }: Event): Refusal {
  const { vaultId, machineId } = item;
  return {
    group: "machine.denials_exceeded",
    kind: machineId,
    rest: vaultId,
    record: (count) =>
      newEvent("policy", "machine.denials_exceeded", {
        ...aboutMachine(item, nowMs),
        reason,
        policyVersion: POLICY_VERSION,
        detail: { count: String(count), selector: selectorOf(item) },
      }),
    restRecord: (count) =>
      newEvent("policy", "machine.denials_exceeded", {
        actorKind: ActorKind.MACHINE,
        reason: reasonText(Reason.RATE_LIMITED),
        vaultId,
        policyVersion: POLICY_VERSION,
        detail: { count: String(count) },
      }),
  };
}

function aboutMachine({ machineId, vaultId, sourceIp, client }: AuthorizeItem, nowMs: number) {
  const time = timestampFromMs(nowMs);
  return {
    time,
    actorKind: ActorKind.MACHINE,
    actorId: machineId,
    machineId,
    vaultId,
    sourceIp,
    client,
  };
}

function selectorOf({ requestedVersion }: AuthorizeItem): string {
  return requestedVersion === 0 ? "current" : String(requestedVersion);
}

function reasonText(reason: Reason): string {
  return enumName(ReasonSchema, reason);
}
