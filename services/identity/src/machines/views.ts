import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Tx } from "@sallyport/postgres";
import type { MachineSchema } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { stateOf } from "./state.ts";
import { type FormerName, findFormerNames } from "./name-store.ts";
import type { Machine } from "./store.ts";
import { type Sighting, findSightings } from "../keys/sighting-store.ts";

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

/** A machine as its vault's people see it at that time. */
export function describeMachine(
  machine: Machine,
  sighting: Sighting | undefined,
  formerNames: readonly FormerName[],
  nowMs: number,
): MessageInitShape<typeof MachineSchema> {
  const { machineId, name, hostname, tokenId, publicKey } = machine;
  return {
    machineId,
    name,
    hostname,
    tokenId: tokenId ?? "",
    publicKey,
    state: stateOf(machine, nowMs),
    createdAt: timestampFromDate(machine.createdAt),
    expiresAt: timestampFromDate(machine.expiresAt),
    keyCreatedAt: timestampFromDate(machine.createdAt),
    ...describeSighting(sighting),
    formerNames: formerNames.map(({ until, ...former }) => ({
      ...former,
      until: timestampFromDate(until),
    })),
  };
}

/**
 * Describes the last use of a key: time, address and program; empty for one that was never used.
 */
export function describeSighting(sighting: Sighting | undefined) {
  if (!sighting) return {};
  const { seenAt, sourceIp, client } = sighting;
  return { lastSeenAt: timestampFromDate(seenAt), lastSourceIp: sourceIp, client };
}
