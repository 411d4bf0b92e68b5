import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Buckets } from "@sallyport/rate-limit";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import type { EnrollRequest } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import type { Attempt, Verdict } from "./judge.ts";
import type { HolderReports } from "../admission/holder-reports.ts";
import type { PolicyScope } from "../policy.ts";
import { actorOf, originOf, reasonText } from "../audit-fields.ts";
import type { Token } from "../tokens/store.ts";

/** What enrolling works with. */
export type EnrollParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain" | "note">;
  readonly policy: Pick<PolicyScope, "applyScope" | "setPrincipalStatus">;
  /** How many living machines a vault may have. */
  readonly machineCap: number;
  readonly holders: HolderReports;
  /** How many records the machines that a token makes may cause by being made. */
  readonly enrollments: Pick<Buckets, "waitMs" | "charge">;
  readonly clock: () => number;
};

/**
 * An enrollment under way: who asks for what, the token that he proved to hold, and what it is
 * judged by.
 */
export type Enrollment = {
  readonly context: ForwardContext;
  readonly request: EnrollRequest;
  readonly token: Token;
  readonly attempt: Attempt;
};

/**
 * Records why a token that somebody holds enrolled nothing, or counts it when that happens too
 * often.
 */
export async function recordRefusal(
  tx: Tx,
  { holders, clock }: Pick<EnrollParts, "holders" | "clock">,
  { context, request, token }: Enrollment,
  { reason, step }: Verdict,
): Promise<void> {
  const dryRun = request.validateOnly ? { validate_only: "true" } : {};
  const nowMs = clock();
  const about = { vaultId: token.vaultId, subjectId: token.tokenId, reason: reasonText(reason) };
  await holders.report(tx, {
    action: "token.refused",
    ...about,
    step,
    record: (count) =>
      newEvent("identity", "token.refused", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        ...about,
        originId: token.tokenId,
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
