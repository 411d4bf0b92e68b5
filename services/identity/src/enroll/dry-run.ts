import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { newEvent } from "@sallyport/proto/catalogue";
import type {
  EnrollRequest,
  EnrollResponseSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Attempt, type Verdict, capReached, judgeRetry, judgeToken } from "./judge.ts";
import type { Held } from "../admission/holder-reports.ts";
import { nameMachine } from "../machines/name.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { countLiving } from "../machines/living-store.ts";
import { type Machine, findMachineByKey } from "../machines/store.ts";
import type { Token } from "../tokens/store.ts";
import { type EnrollParts, type Enrollment, recordRefusal } from "./refusal.ts";

/**
 * What an enrollment comes to before any lock: the machine that the key already is, and why it is
 * refused.
 */
export type Early = { readonly before: Machine | undefined; readonly verdict: Verdict | undefined };

/**
 * Judges an enrollment whose proof holds, without a lock: refusals are final, for uses and time
 * only run out. The token must have been read before: a last use that this very key spent is then
 * seen as its machine.
 */
export async function judgeEarly(
  parts: Pick<EnrollParts, "database">,
  { machinePublicKey }: EnrollRequest,
  token: Token,
  attempt: Attempt,
): Promise<Early> {
  const before = await findMachineByKey(parts.database, machinePublicKey);
  if (before) return { before, verdict: judgeRetry(token, before, attempt) };
  return { before, verdict: judgeToken(token, attempt) };
}

/**
 * Answers Enroll with validate_only: every check and its record, but no use, no machine and no
 * lock, so that another enrollment may be faster.
 */
export async function checkEnrollment(
  parts: EnrollParts,
  enrollment: Enrollment,
): Promise<MessageInitShape<typeof EnrollResponseSchema>> {
  const { context, request, token, attempt } = enrollment;
  const { before, verdict } = await judgeAll(parts, enrollment);
  await context.mutate((tx) =>
    verdict
      ? recordRefusal(tx, parts, enrollment, verdict)
      : parts.holders.report(tx, checked(enrollment, parts.clock())),
  );
  if (verdict) throw fail(verdict.reason, verdict.metadata);
  const expiresMs = before?.expiresAt.getTime() ?? attempt.nowMs + token.machineLifetimeMs;
  return {
    machineName:
      before?.name ?? nameMachine(token.machineNamePattern, attempt) ?? request.machineName,
    vaultId: token.vaultId,
    expiresAt: timestampFromMs(expiresMs),
    projectIds: token.projectIds,
    secretIds: token.secretIds,
    usesLeft: token.maxUses - token.uses,
  };
}

async function judgeAll(
  parts: EnrollParts,
  { request, token, attempt }: Enrollment,
): Promise<Early> {
  const early = await judgeEarly(parts, request, token, attempt);
  if (early.verdict || early.before) return early;
  const { machineCap, database } = parts;
  const living = await countLiving(database, token.vaultId, new Date(attempt.nowMs));
  return living < machineCap ? early : { ...early, verdict: capReached(machineCap) };
}

function checked({ context, request, token }: Enrollment, nowMs: number): Held {
  const about = { vaultId: token.vaultId, subjectId: token.tokenId, reason: "" };
  return {
    action: "token.checked",
    ...about,
    step: "",
    record: (count) =>
      newEvent("identity", "token.checked", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        ...about,
        originId: token.tokenId,
        detail: { ...count, hostname: request.hostname, name: request.machineName },
      }),
  };
}
