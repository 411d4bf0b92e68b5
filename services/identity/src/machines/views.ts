import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Tx } from "@sallyport/postgres";
import type { MachineSchema } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { describeMachine } from "./describe.ts";
import { findFormerNames } from "./name-store.ts";
import type { Machine } from "./store.ts";
import { findSightings } from "../keys/sighting-store.ts";

/**
 * Machines as their vault's people see them, in the same order: with when they were last seen and
 * their former names.
 */
export async function viewMachines(
  db: Tx,
  machines: readonly Machine[],
  nowMs: number,
): Promise<MessageInitShape<typeof MachineSchema>[]> {
  const machineIds = machines.map(({ machineId }) => machineId);
  const [sightings, names] = await Promise.all([
    findSightings(db, machineIds),
    findFormerNames(db, machineIds),
  ]);
  return machines.map((machine) => {
    const { machineId } = machine;
    return describeMachine(machine, sightings.get(machineId), names.get(machineId) ?? [], nowMs);
  });
}

/** One machine as its vault's people see it. */
export async function viewMachine(
  db: Tx,
  machine: Machine,
  nowMs: number,
): Promise<MessageInitShape<typeof MachineSchema>> {
  const [view] = await viewMachines(db, [machine], nowMs);
  return view ?? {};
}
