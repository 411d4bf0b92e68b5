import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database, Tx } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { fail } from "@sallyport/rpc";
import { stateOf } from "./state.ts";
import { type PolicyScope, setStatus } from "../policy.ts";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { recordKeyChanges } from "../keys/change-store.ts";
import { type Machine, type StoredState, lockMachine, setMachineStates } from "./store.ts";
import { checkPrintable } from "../printable.ts";
import { viewMachine } from "./views.ts";

/** The dependencies of stopping and restarting machines. */
export type StandingParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record">;
  readonly policy: Pick<PolicyScope, "setPrincipalStatus">;
  readonly clock: () => number;
};

type Handlers = Pick<
  ForwardHandlers<typeof MachineService>,
  "disableMachine" | "enableMachine" | "revokeMachine"
>;
type Report = Parameters<Outbox["record"]>[1];

/**
 * Makes DisableMachine, EnableMachine and RevokeMachine. Stopping: policy refuses first, then it is
 * stored here; a failure in between leaves the machine refused. Restarting: stored here first,
 * policy admits it last. The machine's row is locked around both, so that two of them cannot
 * cross. Repeating one finishes what a failure left.
 */
export function createStandingHandlers(parts: StandingParts): Handlers {
  return {
    async disableMachine(context, { machineId, reason }) {
      checkPrintable("reason", reason);
      const machine = await context.mutate(async (tx) => {
        const found = await lock(tx, context, machineId);
        refuseIfEnded(found, parts.clock());
        await setStatus(parts.policy, found, PrincipalStatus.DISABLED);
        const report = newEvent("identity", "machine.disabled", {
          ...about(context, found, parts),
          detail: { name: found.name, disable_reason: reason },
        });
        return change(tx, parts, found, "disabled", report);
      });
      return { machine: await viewMachine(parts.database, machine, parts.clock()) };
    },
    async enableMachine(context, { machineId }) {
      const machine = await context.mutate(async (tx) => {
        const found = await lock(tx, context, machineId);
        refuseIfEnded(found, parts.clock());
        if (found.state !== "disabled") return found;
        const report = newEvent("identity", "machine.enabled", {
          ...about(context, found, parts),
          detail: { name: found.name },
        });
        // One that policy never took over goes back to where its enrollment can be finished.
        return change(tx, parts, found, found.activatedAt ? "active" : "provisioning", report);
      });
      await admitAgain(parts, context, machine);
      return { machine: await viewMachine(parts.database, machine, parts.clock()) };
    },
    async revokeMachine(context, { machineId, reason }) {
      checkPrintable("reason", reason);
      const machine = await revokeMachine(parts, context, machineId, reason);
      return { machine: await viewMachine(parts.database, machine, parts.clock()) };
    },
  };
}

/**
 * Ends a machine of the signer's vault permanently: policy refuses it first. Throws Failure
 * NOT_FOUND.
 */
export function revokeMachine(
  parts: StandingParts,
  context: ForwardContext,
  machineId: string,
  reason: string,
): Promise<Machine> {
  return context.mutate(async (tx) => {
    const found = await lock(tx, context, machineId);
    await setStatus(parts.policy, found, PrincipalStatus.REVOKED);
    const report = newEvent("identity", "machine.revoked", {
      ...about(context, found, parts),
      detail: { name: found.name, revoke_reason: reason },
    });
    return change(tx, parts, found, "revoked", report);
  });
}

async function lock(tx: Tx, context: ForwardContext, machineId: string): Promise<Machine> {
  const machine = await lockMachine(tx, signerOf(context).vaultId, machineId);
  if (!machine) throw fail(Reason.NOT_FOUND);
  return machine;
}

function refuseIfEnded(machine: Machine, nowMs: number): void {
  const state = stateOf(machine, nowMs);
  if (state === MachineState.REVOKED) throw fail(Reason.MACHINE_DISABLED);
  if (state === MachineState.EXPIRED) throw fail(Reason.MACHINE_EXPIRED);
}

// Nothing is recorded when nothing changes; the gateways are notified in any case, for one may have
// missed it.
async function change(
  tx: Tx,
  { outbox }: StandingParts,
  machine: Machine,
  state: StoredState,
  report: Report,
): Promise<Machine> {
  await recordKeyChanges(tx, [machine.machineId]);
  if (machine.state === state) return machine;
  await setMachineStates(tx, [machine.machineId], state);
  await outbox.record(tx, report);
  return { ...machine, state };
}

// The lock is taken again: if the machine was stopped since, policy must keep refusing it.
async function admitAgain(
  parts: StandingParts,
  context: ForwardContext,
  { machineId }: Machine,
): Promise<void> {
  await parts.database.transaction(async (tx) => {
    const machine = await lock(tx, context, machineId);
    const going = machine.state === "active" || machine.state === "provisioning";
    if (going) await setStatus(parts.policy, machine, PrincipalStatus.ACTIVE);
  });
}

function about(context: ForwardContext, { vaultId, machineId }: Machine, { clock }: StandingParts) {
  return { ...actorOf(context), ...originOf(context, clock()), vaultId, machineId };
}
