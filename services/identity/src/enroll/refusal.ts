import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Buckets } from "@sallyport/rate-limit";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { EnrollRequest } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import type { Verdict } from "../admission/proof.ts";
import type { Admission, Admitter } from "./admission.ts";
import type { Attempt } from "./judge.ts";
import type { HolderReports } from "../admission/holder-reports.ts";
import type { PolicyScope } from "../policy.ts";
import { actorOf, originOf, reasonText } from "../audit-fields.ts";

/** The dependencies of enrolling. */
export type EnrollParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain" | "note">;
  readonly policy: Pick<PolicyScope, "applyScope" | "setPrincipalStatus">;
  /** The most living machines that a vault may have. */
  readonly machineCap: number;
  readonly holders: HolderReports;
  /** Budget of the records that the enrollments of one admission may cause. */
  readonly enrollments: Pick<Buckets, "waitMs" | "charge">;
  readonly clock: () => number;
};

/** An enrollment whose proof holds: the request, its admission, and the facts to judge it by. */
export type Enrollment = {
  readonly context: ForwardContext;
  readonly request: EnrollRequest;
  readonly admitter: Admitter;
  readonly admission: Admission;
  readonly attempt: Attempt;
};

/** Records why a proven admission enrolled nothing, or counts it when that happens too often. */
export async function recordRefusal(
  tx: Tx,
  { holders, clock }: Pick<EnrollParts, "holders" | "clock">,
  { context, request, admission }: Enrollment,
  { reason, step }: Verdict,
): Promise<void> {
  const dryRun = request.validateOnly ? { validate_only: "true" } : {};
  const nowMs = clock();
  const { vaultId, originId } = admission;
  const about = { vaultId, subjectId: originId, reason: reasonText(reason) };
  await holders.report(tx, {
    action: "token.refused",
    ...about,
    step,
    record: (count) =>
      newEvent("identity", "token.refused", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        ...about,
        originId,
        detail: {
          ...count,
          step,
          hostname: request.hostname,
          name: request.machineName,
          ...dryRun,
        },
      }),
  });
}
