import type { Client } from "@connectrpc/connect";
import { EvidenceError } from "@sallyport/evidence";
import { type EventFields, newEvent } from "@sallyport/proto/catalogue";
import type { AppendService } from "@sallyport/proto/gen/sallyport/audit/internal/v1/append_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { enumName } from "@sallyport/proto/names";
import {
  type Refusal,
  type TallyOptions,
  actorOf,
  auditSink,
  createTally,
} from "@sallyport/audit-events";
import { sourceUnitOf } from "@sallyport/proto/address";
import type { Logger } from "@sallyport/telemetry";
import { publicFailureOf } from "../errors/public-errors.ts";
import { countRefusal } from "../observability/metrics.ts";
import { ReplayError } from "../verification/checklist.ts";
import type { StepRefusal } from "../verification/step-refusal.ts";

/** One refusal of the gateway's own: source, client, path, and the step with its reason. */
export type Refused = {
  readonly sourceIp: string;
  readonly client: string;
  readonly path: string;
  readonly refusal: StepRefusal;
};

/**
 * The gateway's own refusals that are still to be recorded; disposing sends what is counted and
 * waits for the answer.
 */
export type RefusalLog = { note(refused: Refused): void } & AsyncDisposable;

/**
 * Reports refusals to audit without ever delaying one: counted by address, reason and principal,
 * strangers apart from principals. Faults of our own are not refusals.
 */
export function createRefusalLog(
  audit: Pick<Client<typeof AppendService>, "append">,
  logger: Logger,
  options?: TallyOptions,
): RefusalLog {
  const tally = createTally(auditSink(audit, logger), logger, options);
  return {
    note(refused) {
      const { cause, step } = refused.refusal;
      if (!isTheirs(cause)) return;
      countRefusal(cause, step);
      void tally.note(refusalOf(refused));
    },
    [Symbol.asyncDispose]: () => tally[Symbol.asyncDispose](),
  };
}

function isTheirs(error: unknown): boolean {
  const { reason } = publicFailureOf(error);
  return reason !== Reason.INTERNAL && reason !== Reason.DEPENDENCY_UNAVAILABLE;
}

// The kind has a keyid only when a principal has it: others could be made up without end.
function refusalOf(refused: Refused): Refusal {
  const { sourceIp, refusal } = refused;
  const { cause } = refusal;
  const { claims, knownKeyId = "" } = refusal.known;
  const action = cause instanceof ReplayError ? "replay.refused" : "request.rejected";
  const reason = enumName(ReasonSchema, publicFailureOf(cause).reason);
  const vaultId = claims?.vaultId ?? "";
  return {
    group: `${action} ${claims ? "principals" : "strangers"}`,
    kind: [sourceUnitOf(sourceIp), reason, claims?.principalId ?? knownKeyId].join(" "),
    rest: `${vaultId} ${reason}`,
    record: (count) => newEvent("gateway", action, fieldsOf(refused, reason, count)),
    restRecord: (count) =>
      newEvent("gateway", action, {
        reason,
        actorKind: ActorKind.UNKNOWN,
        vaultId,
        detail: { count: String(count) },
      }),
  };
}

type Fields = EventFields<"request.rejected" | "replay.refused">;

function fieldsOf(
  { sourceIp, client, path, refusal }: Refused,
  reason: string,
  count: number,
): Fields {
  const { cause, known } = refusal;
  const { claims, claimedKeyId, digest } = known;
  return {
    reason,
    ...actorOf(claims && { id: claims.principalId, kind: claims.kind }),
    vaultId: claims?.vaultId ?? "",
    sourceIp,
    client,
    requestDigest: digest ?? new Uint8Array(),
    detail: {
      count: String(count),
      path,
      ...(claimedKeyId === undefined ? {} : { key_id: claimedKeyId }),
      ...(cause instanceof EvidenceError ? { step: cause.step } : {}),
    },
  };
}
