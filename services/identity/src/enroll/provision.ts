import type { ForwardContext } from "@sallyport/forward";
import type { Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { fail } from "@sallyport/rpc";
import { applyScope, setStatus } from "../policy.ts";
import { originOf } from "../audit-fields.ts";
import { type Machine, type StoredState, activateMachine, lockMachine } from "../machines/store.ts";
import { roleOf } from "../users/roles.ts";
import { findUser } from "../users/store.ts";
import type { Admission } from "./admission.ts";
import type { EnrollParts } from "./refusal.ts";

/**
 * Finishes an enrollment: policy takes over the scope, then the machine is active and its record is
 * delivered. Can be repeated after a failure at any point. Throws Failure MACHINE_DISABLED or
 * MACHINE_EXPIRED when it ended meanwhile.
 */
export async function provision(
  parts: EnrollParts,
  context: ForwardContext,
  machine: Machine,
  { vaultId, scope }: Admission,
): Promise<Machine> {
  if (machine.state !== "provisioning") return machine;
  const maker = await findUser(parts.database, vaultId, scope.createdBy);
  if (!maker) throw fail(Reason.INTERNAL, {}, new Error("the admission's maker is unknown"));
  await applyScope(parts.policy, machine, scope, roleOf(maker.role));
  const { active, own } = await activate(parts, context, machine);
  if (active) {
    await parts.outbox.drain(own);
    return active;
  }
  const now = await settle(parts, machine);
  if (now?.state === "active") return now; // A retry that ran beside this one was faster.
  throw fail(now?.state === "expired" ? Reason.MACHINE_EXPIRED : Reason.MACHINE_DISABLED);
}

function activate(
  parts: EnrollParts,
  context: ForwardContext,
  machine: Machine,
): Promise<{ readonly active: Machine | undefined; readonly own: Tx }> {
  return parts.database.transaction(async (tx) => {
    const nowMs = parts.clock();
    const active = await activateMachine(tx, machine, new Date(nowMs));
    if (active) await parts.outbox.record(tx, enrolled(active, context, nowMs));
    return { active, own: tx };
  });
}

const statuses: Readonly<Record<StoredState, PrincipalStatus>> = {
  provisioning: PrincipalStatus.ACTIVE,
  active: PrincipalStatus.ACTIVE,
  disabled: PrincipalStatus.DISABLED,
  revoked: PrincipalStatus.REVOKED,
  expired: PrincipalStatus.EXPIRED,
};

// Returns the machine as it is now and repeats its status to policy: it may have been stopped
// before policy knew it. Under the lock: policy's last status must be the machine's.
function settle(
  { database, policy }: EnrollParts,
  { vaultId, machineId }: Machine,
): Promise<Machine | undefined> {
  return database.transaction(async (tx) => {
    const now = await lockMachine(tx, vaultId, machineId);
    if (now && now.state !== "active") await setStatus(policy, now, statuses[now.state]);
    return now;
  });
}

function enrolled(machine: Machine, context: ForwardContext, nowMs: number) {
  const { machineId, vaultId, tokenId, name, hostname, expiresAt } = machine;
  return newEvent("identity", "machine.enrolled", {
    actorKind: ActorKind.MACHINE,
    actorId: machineId,
    ...originOf(context, nowMs),
    vaultId,
    machineId,
    subjectId: tokenId ?? "",
    originId: tokenId ?? "",
    detail: {
      name,
      hostname,
      ...(tokenId === null ? {} : { token_id: tokenId }),
      expires_at: expiresAt.toISOString(),
    },
  });
}
