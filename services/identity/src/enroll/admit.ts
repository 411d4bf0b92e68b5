import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import { type Verdict, rejected } from "../admission/proof.ts";
import type { Admission, Admitted } from "./admission.ts";
import { type Attempt, capReached, judgeAdmission, judgeRetry } from "./judge.ts";
import { makesNames, nameMachine } from "../machines/name.ts";
import { originOf } from "../audit-fields.ts";
import { countLiving } from "../machines/list-store.ts";
import { lockMachinesOf } from "../lock-store.ts";
import { type Machine, findMachineByKey } from "../machines/store.ts";
import type { Enrollment } from "./refusal.ts";

/** The result of an enrollment: a machine, new or from before, or a refusal. */
export type Outcome =
  | { readonly kind: "admitted"; readonly machine: Machine; readonly admission: Admission }
  | { readonly kind: "refused"; readonly verdict: Verdict };

/** The dependencies of admit: the outbox, and how many living machines a vault may have. */
export type AdmitParts = { readonly outbox: Pick<Outbox, "record">; readonly machineCap: number };

const mostTries = 5;

/**
 * Counts a use and makes the machine of an enrollment that was judged to be good, or returns what
 * has changed since. The machines of one vault are made one after another, so the uses, the cap and
 * the free names are exact.
 */
export async function admit(
  tx: Tx,
  parts: AdmitParts,
  enrollment: Enrollment,
  attempt: Attempt,
): Promise<Outcome> {
  const { admission } = enrollment;
  await lockMachinesOf(tx, admission.vaultId);
  for (let tries = 0; tries < mostTries; tries += 1) {
    const admitted = await make(tx, parts, enrollment, attempt);
    if (admitted) {
      if (admitted.uses === admission.maxUses)
        await recordExhausted(tx, parts, enrollment, admitted.machine);
      return { kind: "admitted", machine: admitted.machine, admission };
    }
    const changed = await judgeAgain(tx, parts, enrollment, attempt);
    if (changed) return changed;
  }
  throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("names or machines change too fast"));
}

/** Returns the outcome of a refusal. */
export function refusal(verdict: Verdict): Outcome {
  return { kind: "refused", verdict };
}

function make(
  tx: Tx,
  { machineCap }: AdmitParts,
  { request, admitter, admission }: Enrollment,
  attempt: Attempt,
): Promise<Admitted | undefined> {
  const { vaultId, tokenId, machineLifetimeMs } = admission;
  const { machineNamePattern } = admission.restrictions;
  const { nowMs, machineId, hostname } = attempt;
  const name = nameMachine(machineNamePattern, attempt);
  if (name === undefined)
    throw fail(Reason.INTERNAL, {}, new Error("a name was judged twice differently"));
  const times = { createdAt: new Date(nowMs), expiresAt: new Date(nowMs + machineLifetimeMs) };
  const publicKey = request.machinePublicKey;
  const machine = { machineId, vaultId, tokenId, publicKey, name, hostname, ...times };
  const room = { cap: machineCap, uniqueName: makesNames(machineNamePattern) };
  return admitter.make(tx, machine, room);
}

// Undefined when another try may succeed: the name that was made was taken.
async function judgeAgain(
  tx: Tx,
  { machineCap }: AdmitParts,
  { request, admitter }: Enrollment,
  attempt: Attempt,
): Promise<Outcome | undefined> {
  const admission = await admitter.refresh(tx);
  if (!admission) return refusal(rejected("token"));
  const before = await findMachineByKey(tx, request.machinePublicKey);
  const verdict = before
    ? judgeRetry(admission, before, attempt)
    : judgeAdmission(admission, attempt);
  if (verdict) return refusal(verdict);
  if (before) return { kind: "admitted", machine: before, admission };
  const living = await countLiving(tx, admission.vaultId, new Date(attempt.nowMs));
  return living < machineCap ? undefined : refusal(capReached(machineCap));
}

async function recordExhausted(
  tx: Tx,
  { outbox }: AdmitParts,
  { context, admission: { vaultId, originId, maxUses } }: Enrollment,
  { machineId, createdAt }: Machine,
): Promise<void> {
  const event = newEvent("identity", "token.exhausted", {
    ...originOf(context, createdAt.getTime()),
    actorKind: ActorKind.MACHINE,
    actorId: machineId,
    vaultId,
    subjectId: originId,
    detail: { uses: String(maxUses) },
  });
  await outbox.record(tx, event);
}
