import type { ForwardHandlers } from "@sallyport/evidence";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { fail } from "@sallyport/rpc";
import { describeMachine } from "../describe.ts";
import { readPage } from "../page.ts";
import { signerOf } from "../reports.ts";
import { type Machine, findMachine, listMachines } from "../store/machines.ts";

type Handlers = Pick<ForwardHandlers<typeof MachineService>, "getMachine" | "listMachines">;

/** Makes GetMachine and ListMachines. */
export function createMachineHandlers({
  database,
  clock,
}: {
  readonly database: Pick<Database, "query">;
  readonly clock: () => number;
}): Handlers {
  return {
    async getMachine(context, { machineId }) {
      const machine = await findMachine(database, signerOf(context).vaultId, machineId);
      if (!machine) throw fail(Reason.NOT_FOUND);
      return { machine: describeMachine(machine, clock()) };
    },
    async listMachines(context, request) {
      const { vaultId } = signerOf(context);
      const { items, nextPageToken } = await readPage(
        request,
        "mch",
        ({ machineId }: Machine) => machineId,
        (after, limit) => listMachines(database, vaultId, after, limit),
      );
      const nowMs = clock();
      return { machines: items.map((machine) => describeMachine(machine, nowMs)), nextPageToken };
    },
  };
}
