import { MachineStateSchema } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import type { Membership } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { type ValueOf, nullable, object, text, time } from "../definition/shape.ts";
import { type NameSource, allowed, namesOf } from "../find/names.ts";
import { partsOf } from "../find/pages.ts";
import { momentOf } from "./moment.ts";

/** The membership of a machine in a project, as JSON. */
export const membershipShape = object({
  machine: text("the machine's name"),
  machineId: text("the machine's id"),
  state: text("where the machine is in its life, such as `active` or `disabled`"),
  project: text("the project's name"),
  projectId: text("the project's id"),
  createdAt: nullable(time("when it joined")),
});

/** A membership as commands print it. */
export type MembershipView = ValueOf<typeof membershipShape>;

/** Memberships as the server returns them, in the form that commands print. */
export async function membershipViews(
  client: NameSource,
  memberships: readonly Membership[],
): Promise<MembershipView[]> {
  const ids = [...new Set(memberships.map(({ machineId }) => machineId))];
  const [names, ...answers] = await Promise.all([
    namesOf(
      client,
      memberships.map(({ projectId }) => projectId),
    ),
    ...partsOf(ids, 200).map((machineIds) =>
      allowed(client.services.machines.batchGetMachines({ machineIds })),
    ),
  ]);
  const machines = new Map(
    answers
      .flatMap((answer) => answer?.machines ?? [])
      .map((machine) => [machine.machineId, machine]),
  );
  return memberships.map(({ machineId, projectId, createdAt }) => {
    const machine = machines.get(machineId);
    return {
      machine: machine?.name ?? machineId,
      machineId,
      state: machine ? enumName(MachineStateSchema, machine.state).toLowerCase() : "unknown",
      project: names.get(projectId) ?? projectId,
      projectId,
      createdAt: momentOf(createdAt),
    };
  });
}
