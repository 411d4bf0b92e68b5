import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ForwardContext, ForwardHandlers } from "@sallyport/evidence";
import type { Outbox } from "@sallyport/outbox";
import { type Database, type Tx, isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type {
  RedeemLoginCodeRequest,
  UserService,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { type Verdict, deviceKeyLifetimeMs, judgeLoginCode, judgeProof, rejected } from "../enrollment.ts";
import { actorOf, originOf, reasonText } from "../reports.ts";
import { type LoginCode, findLoginCode, lockLoginCode, redeemLoginCode } from "../store/login-codes.ts";
import { roleOf } from "../store/roles.ts";
import { type UserKey, findUserKeys, insertUser } from "../store/users.ts";
import { noteStranger } from "../strangers.ts";

/** What redeeming login codes works with. */
export type RedeemParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record" | "note">;
  readonly clock: () => number;
};

type Outcome =
  | { readonly kind: "admitted"; readonly key: UserKey; readonly first: boolean }
  | { readonly kind: "refused"; readonly verdict: Verdict };

/** Makes RedeemLoginCode: one transaction spends the code and makes the user with a device key. */
export function createRedeemLoginCode(
  parts: RedeemParts,
): ForwardHandlers<typeof UserService>["redeemLoginCode"] {
  return async (context, request) => {
    const known = await findLoginCode(parts.database, request.vaultId, request.codeId);
    const unproven = judgeProof(admissionOf(context, request), known);
    if (unproven) {
      const concerned = known && { vaultId: known.vaultId, subjectId: known.codeId };
      const shown = { action: "login_code.refused", concerned } as const;
      await noteStranger(parts.outbox, context, shown, unproven, parts.clock());
      throw fail(unproven.reason);
    }
    const outcome = await context
      .mutate(async (tx) => {
        const nowMs = parts.clock();
        const decided = await admit(tx, request, nowMs);
        await recordOutcome(tx, parts.outbox, context, known, decided, nowMs);
        return decided;
      })
      .catch((error: unknown) => {
        // Another code let the same key in at the same moment.
        if (isUniqueViolation(error, "user_keys_public_key")) throw fail(Reason.REQUEST_REJECTED, {}, error);
        throw error;
      });
    if (outcome.kind === "refused") throw fail(outcome.verdict.reason);
    const { userId, keyId, vaultId, role, expiresAt } = outcome.key;
    return { userId, keyId, vaultId, role: roleOf(role), keyExpiresAt: timestampFromDate(expiresAt) };
  };
}

function admissionOf({ newKey }: ForwardContext, request: RedeemLoginCodeRequest) {
  return {
    kind: "device",
    signerKey: newKey,
    vaultId: request.vaultId,
    admittingKey: request.codePublicKey,
    proof: request.codeProof,
    admittedKey: request.devicePublicKey,
  } as const;
}

async function admit(tx: Tx, request: RedeemLoginCodeRequest, nowMs: number): Promise<Outcome> {
  const code = await lockLoginCode(tx, request.vaultId, request.codeId);
  if (!code) return refusal(rejected("token"));
  const [redeemer] = code.redeemedBy === null ? [] : await findUserKeys(tx, [code.redeemedBy]);
  const verdict = judgeLoginCode(code, redeemer, request.devicePublicKey, nowMs);
  if (verdict) return refusal(verdict);
  if (redeemer) return { kind: "admitted", key: redeemer, first: false };
  const key = newKeyOf(request, code, nowMs);
  if (!(await insertUser(tx, key))) return refusal(rejected("key"));
  if (!(await redeemLoginCode(tx, code.codeId, key.keyId, new Date(nowMs))))
    throw fail(Reason.INTERNAL, {}, new Error("a login code was not spent"));
  return { kind: "admitted", key, first: true };
}

function newKeyOf(request: RedeemLoginCodeRequest, { vaultId, role }: LoginCode, nowMs: number): UserKey {
  const userId = newId("usr");
  return {
    // The keyid's second half is as random as an id's (SIGNING §3).
    keyId: `${userId}.${newId("usr").slice("usr_".length)}`,
    userId,
    vaultId,
    name: request.userName,
    role,
    publicKey: request.devicePublicKey,
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + deviceKeyLifetimeMs),
  };
}

function refusal(verdict: Verdict): Outcome {
  return { kind: "refused", verdict };
}

async function recordOutcome(
  tx: Tx,
  outbox: Pick<Outbox, "record">,
  context: ForwardContext,
  known: LoginCode | undefined,
  outcome: Outcome,
  nowMs: number,
): Promise<void> {
  const origin = originOf(context, nowMs);
  if (outcome.kind === "refused") {
    const { reason, step } = outcome.verdict;
    const concerned = known ? { vaultId: known.vaultId, subjectId: known.codeId } : {};
    const about = { ...actorOf(context), ...origin, ...concerned, reason: reasonText(reason) };
    return outbox.record(tx, newEvent("identity", "login_code.refused", { ...about, detail: { step } }));
  }
  if (!outcome.first) return;
  const { userId, vaultId, name, role, keyId } = outcome.key;
  const actor = { actorKind: ActorKind.USER, actorId: userId };
  const detail = { name, role, key_id: keyId, ...(known ? { login_code_id: known.codeId } : {}) };
  await outbox.record(
    tx,
    newEvent("identity", "user.enrolled", { ...actor, ...origin, vaultId, subjectId: userId, detail }),
  );
}
