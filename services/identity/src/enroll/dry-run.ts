import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { newEvent } from "@sallyport/proto/catalogue";
import type { EnrollResponseSchema } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fail } from "@sallyport/rpc";
import type { Verdict } from "../admission/proof.ts";
import { capReached, judgeAdmission, judgeRetry } from "./judge.ts";
import type { Held } from "../admission/holder-reports.ts";
import { nameMachine } from "../machines/name.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { countLiving } from "../machines/list-store.ts";
import { type Machine, findMachineByKey } from "../machines/store.ts";
import { type EnrollParts, type Enrollment, recordRefusal } from "./refusal.ts";

/** The judgement before any lock: the machine that the key already is, and why it is refused. */
export type Early = { readonly before: Machine | undefined; readonly verdict: Verdict | undefined };

/**
 * Judges an enrollment whose proof holds, without a lock: refusals are final, for uses and time
 * only run out. The admission must have been read before: a last use that this very key spent is
 * then seen as its machine.
 */
export async function judgeEarly(
  parts: Pick<EnrollParts, "database">,
  { request, admission, attempt }: Enrollment,
): Promise<Early> {
  const before = await findMachineByKey(parts.database, request.machinePublicKey);
  if (before) return { before, verdict: judgeRetry(admission, before, attempt) };
  return { before, verdict: judgeAdmission(admission, attempt) };
}

/**
 * Answers Enroll with validate_only: every check and its record, but no use, no machine and no
 * lock, so that another enrollment may be faster.
 */
export async function checkEnrollment(
  parts: EnrollParts,
  enrollment: Enrollment,
): Promise<MessageInitShape<typeof EnrollResponseSchema>> {
  const { context, request, admission, attempt } = enrollment;
  const { vaultId, scope, restrictions, maxUses, uses, machineLifetimeMs } = admission;
  const { before, verdict } = await judgeAll(parts, enrollment);
  await context.mutate((tx) =>
    verdict
      ? recordRefusal(tx, parts, enrollment, verdict)
      : parts.holders.report(tx, checked(enrollment, parts.clock())),
  );
  if (verdict) throw fail(verdict.reason, verdict.metadata);
  const expiresMs = before?.expiresAt.getTime() ?? attempt.nowMs + machineLifetimeMs;
  return {
    machineName:
      before?.name ?? nameMachine(restrictions.machineNamePattern, attempt) ?? request.machineName,
    vaultId,
    expiresAt: timestampFromMs(expiresMs),
    projectIds: scope.projectIds,
    secretIds: scope.secretIds,
    usesLeft: maxUses - uses,
  };
}

async function judgeAll(parts: EnrollParts, enrollment: Enrollment): Promise<Early> {
  const early = await judgeEarly(parts, enrollment);
  const { admission, attempt } = enrollment;
  if (early.verdict || early.before) return early;
  const { machineCap, database } = parts;
  const living = await countLiving(database, admission.vaultId, new Date(attempt.nowMs));
  return living < machineCap ? early : { ...early, verdict: capReached(machineCap) };
}

function checked({ context, request, admission }: Enrollment, nowMs: number): Held {
  const { vaultId, originId } = admission;
  const about = { vaultId, subjectId: originId, reason: "" };
  return {
    action: "token.checked",
    ...about,
    step: "",
    record: (count) =>
      newEvent("identity", "token.checked", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        ...about,
        originId,
        detail: { ...count, hostname: request.hostname, name: request.machineName },
      }),
  };
}
