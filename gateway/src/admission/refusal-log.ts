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
import type { Progress } from "../verification/checklist.ts";

/**
 * One refusal of the gateway's own: from where, by which client, of which method, why, and how far
 * the request had come.
 */
export type Refused = {
  readonly sourceIp: string;
  readonly client: string;
  readonly path: string;
  readonly error: unknown;
  readonly progress: Progress;
};

/**
 * The gateway's own refusals on their way to the log; disposing sends what is counted and waits for
 * the answer.
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
      if (!isTheirs(refused.error)) return;
      countRefusal(refused.error, refused.progress.step ?? "address");
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
  const { sourceIp, error, progress } = refused;
  const { claims, knownKeyId = "", replayed } = progress;
  const action = replayed ? "replay.refused" : "request.rejected";
  const reason = enumName(ReasonSchema, publicFailureOf(error).reason);
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
  { sourceIp, client, path, error, progress }: Refused,
  reason: string,
  count: number,
): Fields {
  const { claims, claimedKeyId, digest } = progress;
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
      ...(error instanceof EvidenceError ? { step: error.step } : {}),
    },
  };
}
