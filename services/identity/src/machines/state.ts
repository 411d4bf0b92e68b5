import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { MachineState } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import type { Machine, StoredState } from "./store.ts";

type Life = Pick<Machine, "state" | "expiresAt">;

const states: Readonly<Record<StoredState, MachineState>> = {
  provisioning: MachineState.PROVISIONING,
  active: MachineState.ACTIVE,
  disabled: MachineState.DISABLED,
  revoked: MachineState.REVOKED,
  expired: MachineState.EXPIRED,
};

const storedStates: ReadonlyMap<MachineState, StoredState> = new Map([
  [MachineState.PROVISIONING, "provisioning"],
  [MachineState.ACTIVE, "active"],
  [MachineState.DISABLED, "disabled"],
  [MachineState.REVOKED, "revoked"],
  [MachineState.EXPIRED, "expired"],
]);

/** The stored state for one of the contract. Throws for one that no request may name. */
export function storedStateOf(state: MachineState): StoredState {
  const stored = storedStates.get(state);
  if (stored === undefined) throw new Error(`no machine is ever in state ${state}`);
  return stored;
}

/** Returns the state of a machine. Expiry is a matter of time, and only revocation outlasts it. */
export function stateOf({ state, expiresAt }: Life, nowMs: number): MachineState {
  if (state === "revoked") return MachineState.REVOKED;
  return nowMs < expiresAt.getTime() ? states[state] : MachineState.EXPIRED;
}

const refusals: ReadonlyMap<MachineState, Reason> = new Map([
  [MachineState.ACTIVE, Reason.UNSPECIFIED],
  [MachineState.EXPIRED, Reason.MACHINE_EXPIRED],
  [MachineState.DISABLED, Reason.MACHINE_DISABLED],
  [MachineState.REVOKED, Reason.MACHINE_DISABLED],
]);

/**
 * Why a machine in that state gets no credential; unspecified when it gets one, undefined while it
 * is provisioning.
 */
export function refusalOf(state: MachineState): Reason | undefined {
  return refusals.get(state);
}
