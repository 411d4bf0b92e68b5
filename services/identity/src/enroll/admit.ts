import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";
import {
  type Attempt,
  type Verdict,
  capReached,
  judgeRetry,
  judgeToken,
  rejected,
} from "./judge.ts";
import { makesNames, nameMachine } from "../machines/name.ts";
import { originOf } from "../audit-fields.ts";
import { type Admitted, admitMachine } from "./store.ts";
import { countLiving } from "../machines/living-store.ts";
import { lockMachinesOf } from "../lock-store.ts";
import { type Machine, findMachineByKey } from "../machines/store.ts";
import { type Token, findToken } from "../tokens/store.ts";
import type { Enrollment } from "./refusal.ts";

/** How an enrollment ended: with a machine, new or from before, or with a refusal. */
export type Outcome =
  | { readonly kind: "admitted"; readonly machine: Machine; readonly token: Token }
  | { readonly kind: "refused"; readonly verdict: Verdict };

/** What admitting works with: where records go, and how many living machines a vault may have. */
export type AdmitParts = { readonly outbox: Pick<Outbox, "record">; readonly machineCap: number };

const mostTries = 5;

/**
 * Counts a use and makes the machine of an enrollment that was judged to be good, or tells what has
 * changed since. The machines of one vault are made one after another, so the uses, the cap and the
 * names that are free are exact.
 */
export async function admit(
  tx: Tx,
  parts: AdmitParts,
  { context, request, token }: Enrollment,
  attempt: Attempt,
): Promise<Outcome> {
  await lockMachinesOf(tx, token.vaultId);
  const publicKey = request.machinePublicKey;
  for (let tries = 0; tries < mostTries; tries += 1) {
    const admitted = await make(tx, parts, token, attempt, publicKey);
    if (admitted) {
      if (admitted.uses === token.maxUses)
        await recordExhausted(tx, parts, context, token, admitted.machine);
      return { kind: "admitted", machine: admitted.machine, token };
    }
    const changed = await judgeAgain(tx, parts, token, attempt, publicKey);
    if (changed) return changed;
  }
  throw fail(Reason.DEPENDENCY_UNAVAILABLE, {}, new Error("names or machines change too fast"));
}

/** The outcome of a refusal. */
export function refusal(verdict: Verdict): Outcome {
  return { kind: "refused", verdict };
}

function make(
  tx: Tx,
  { machineCap }: AdmitParts,
  { vaultId, tokenId, machineLifetimeMs, machineNamePattern }: Token,
  attempt: Attempt,
  publicKey: Uint8Array,
): Promise<Admitted | undefined> {
  const { nowMs, machineId, hostname } = attempt;
  const name = nameMachine(machineNamePattern, attempt);
  if (name === undefined)
    throw fail(Reason.INTERNAL, {}, new Error("a name was judged twice differently"));
  const times = { createdAt: new Date(nowMs), expiresAt: new Date(nowMs + machineLifetimeMs) };
  const machine = { machineId, vaultId, tokenId, publicKey, name, hostname, ...times };
  return admitMachine(tx, machine, { cap: machineCap, uniqueName: makesNames(machineNamePattern) });
}

// Undefined when nothing speaks against another try: there was no room, or the name that was made
// was taken.
async function judgeAgain(
  tx: Tx,
  { machineCap }: AdmitParts,
  { vaultId, tokenId }: Token,
  attempt: Attempt,
  publicKey: Uint8Array,
): Promise<Outcome | undefined> {
  const token = await findToken(tx, vaultId, tokenId);
  if (!token) return refusal(rejected("token"));
  const before = await findMachineByKey(tx, publicKey);
  const verdict = before ? judgeRetry(token, before, attempt) : judgeToken(token, attempt);
  if (verdict) return refusal(verdict);
  if (before) return { kind: "admitted", machine: before, token };
  const living = await countLiving(tx, vaultId, new Date(attempt.nowMs));
  return living < machineCap ? undefined : refusal(capReached(machineCap));
}

async function recordExhausted(
  tx: Tx,
  { outbox }: AdmitParts,
  context: ForwardContext,
  { vaultId, tokenId, maxUses }: Token,
  { machineId, createdAt }: Machine,
): Promise<void> {
  const event = newEvent("identity", "token.exhausted", {
    ...originOf(context, createdAt.getTime()),
    actorKind: ActorKind.MACHINE,
    actorId: machineId,
    vaultId,
    subjectId: tokenId,
    detail: { uses: String(maxUses) },
  });
  await outbox.record(tx, event);
}
