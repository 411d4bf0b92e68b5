import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { type Database, type Tx, isUniqueViolation } from "@sallyport/postgres";
import { type Action, newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  RedeemLoginCodeRequest,
  UserService,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Verdict, judgeProof } from "../admission/proof.ts";
import type { HolderReports } from "../admission/holder-reports.ts";
import { actorOf, originOf, reasonText } from "../audit-fields.ts";
import { findLoginCode } from "./store.ts";
import { roleOf } from "../users/roles.ts";
import { noteUnproven } from "../admission/unproven-attempts.ts";
import { type Admitted, admitDevice } from "./admit-device.ts";

/** The dependencies of redeeming login codes. */
export type RedeemParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record" | "note">;
  readonly holders: HolderReports;
  readonly clock: () => number;
};

/**
 * Makes RedeemLoginCode: one transaction spends the code and makes the device key, and the user if
 * it is a new one.
 */
export function createRedeemLoginCode(
  parts: RedeemParts,
): ForwardHandlers<typeof UserService>["redeemLoginCode"] {
  return async (context, request) => {
    const known = await findLoginCode(parts.database, request.vaultId, request.codeId);
    const unproven = judgeProof(claimOf(context, request), known);
    if (unproven) {
      const concerned = known && { vaultId: known.vaultId, subjectId: known.codeId };
      const shown = { action: "login_code.refused", concerned } as const;
      await noteUnproven(parts.outbox, context, shown, unproven, parts.clock());
      throw fail(unproven.reason);
    }
    const outcome = await context
      .mutate(async (tx) => {
        const decided = await admitDevice(tx, request, new Date(parts.clock()));
        if (decided.kind === "refused")
          await recordRefusal(tx, parts, context, request, decided.verdict);
        else await recordAdmission(tx, parts, context, request, decided.admitted);
        return decided;
      })
      .catch((error: unknown) => {
        // A code of another vault admitted the same key concurrently.
        if (isUniqueViolation(error, "user_keys_public_key"))
          throw fail(Reason.REQUEST_REJECTED, {}, error);
        throw error;
      });
    if (outcome.kind === "refused") throw fail(outcome.verdict.reason, outcome.verdict.metadata);
    const { userId, keyId, vaultId, role, name, endsAt } = outcome.admitted;
    return {
      userId,
      keyId,
      vaultId,
      role: roleOf(role),
      keyExpiresAt: timestampFromDate(endsAt),
      userName: name,
    };
  };
}

function claimOf({ newKey }: ForwardContext, request: RedeemLoginCodeRequest) {
  return {
    kind: "device",
    signerKey: newKey,
    vaultId: request.vaultId,
    admittingKey: request.codePublicKey,
    proof: request.codeProof,
    admittedKey: request.devicePublicKey,
  } as const;
}

// Of a code that exists: a caller without one is unproven.
async function recordRefusal(
  tx: Tx,
  { holders, clock }: RedeemParts,
  context: ForwardContext,
  { vaultId, codeId }: RedeemLoginCodeRequest,
  { reason, step }: Verdict,
): Promise<void> {
  const nowMs = clock();
  const about = { vaultId, subjectId: codeId, reason: reasonText(reason) };
  await holders.report(tx, {
    action: "login_code.refused",
    ...about,
    step,
    record: (count) =>
      newEvent("identity", "login_code.refused", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        ...about,
        detail: { ...count, step },
      }),
  });
}

const actions = { newUser: "user.enrolled", newDevice: "device.added" } as const satisfies Record<
  string,
  Action
>;

async function recordAdmission(
  tx: Tx,
  { outbox, clock }: RedeemParts,
  context: ForwardContext,
  { codeId }: RedeemLoginCodeRequest,
  { how, userId, vaultId, name, role, keyId }: Admitted,
): Promise<void> {
  if (how === "again") return;
  const event = newEvent("identity", actions[how], {
    ...originOf(context, clock()),
    actorKind: ActorKind.USER,
    actorId: userId,
    vaultId,
    subjectId: userId,
    detail: { name, role, key_id: keyId, login_code_id: codeId },
  });
  await outbox.record(tx, event);
}
