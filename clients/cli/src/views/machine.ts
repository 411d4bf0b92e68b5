import {
  MachineState,
  MachineStateSchema,
  type Machine,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type ValueOf, nullable, object, text, time } from "../definition/shape.ts";
import type { Style } from "../terminal/table.ts";
import { iso } from "./timestamp.ts";
import { momentOf } from "./moment.ts";

const states = {
  provisioning: MachineState.PROVISIONING,
  active: MachineState.ACTIVE,
  disabled: MachineState.DISABLED,
  revoked: MachineState.REVOKED,
  expired: MachineState.EXPIRED,
} as const;

/** The state of a machine, as it is typed and shown. */
export const machineStates = ["provisioning", "active", "disabled", "revoked", "expired"] as const;

/** The state that a word means. */
export function machineStateOf(word: (typeof machineStates)[number]): MachineState {
  return states[word];
}

/** The keys of a machine as --json shows it. */
export const machineKeys = {
  machineId: text("the machine's id"),
  name: text("its name"),
  state: text("`provisioning`, `active`, `disabled`, `revoked` or `expired`"),
  hostname: text("what it called itself when it enrolled; not proven"),
  tokenId: nullable(text("the token that made it; null when another admission did")),
  createdAt: time("when it enrolled"),
  expiresAt: time("when it stops working"),
  keyCreatedAt: nullable(time("when its key was enrolled")),
  lastSeenAt: nullable(time("when it last signed a request; null before the first")),
  lastSourceIp: text("the address of that request, as the gateway saw it; empty before the first"),
  client: text("the program that it then said it was; not proven"),
};

/** A machine as --json shows it. */
export const machineShape = object(machineKeys);

/** A machine. */
export type PlainMachine = ValueOf<typeof machineShape>;

/** A machine as --json shows it, from what the server says. */
export function plainMachine(machine: Machine): PlainMachine {
  const { machineId, name, hostname, tokenId, lastSourceIp, client } = machine;
  return {
    machineId,
    name,
    state: stateWord(machine),
    hostname,
    tokenId: tokenId === "" ? null : tokenId,
    createdAt: iso(machine.createdAt),
    expiresAt: iso(machine.expiresAt),
    keyCreatedAt: momentOf(machine.keyCreatedAt),
    lastSeenAt: momentOf(machine.lastSeenAt),
    lastSourceIp,
    client,
  };
}

/** The word for a machine's state. */
export function stateWord({ state }: Machine): string {
  return enumName(MachineStateSchema, state).toLowerCase();
}

/** The colour of a state's word. */
export function stateStyle({ state }: { readonly state: string }): Style | undefined {
  const styles: Readonly<Record<string, Style>> = {
    active: "green",
    disabled: "yellow",
    revoked: "red",
  };
  return Object.hasOwn(styles, state) ? styles[state] : "dim";
}
