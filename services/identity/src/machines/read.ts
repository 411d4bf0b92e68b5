import type { ForwardHandlers } from "@sallyport/forward";
import type { Database } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { fail } from "@sallyport/rpc";
import { storedStateOf } from "./state.ts";
import { readPage } from "../page.ts";
import { signerOf } from "../audit-fields.ts";
import { listMachines } from "./list-store.ts";
import { type Machine, findMachine, findMachinesOf } from "./store.ts";
import { viewMachine, viewMachines } from "./views.ts";

type Handlers = Pick<
  ForwardHandlers<typeof MachineService>,
  "getMachine" | "batchGetMachines" | "listMachines"
>;

/** Makes GetMachine, BatchGetMachines and ListMachines. */
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
      return { machine: await viewMachine(database, machine, clock()) };
    },
    async batchGetMachines(context, { machineIds }) {
      const machines = await findMachinesOf(database, signerOf(context).vaultId, machineIds);
      return { machines: await viewMachines(database, machines, clock()) };
    },
    async listMachines(context, request) {
      const nowMs = clock();
      const { tokenId, name } = request;
      const states = request.states.map(storedStateOf);
      const filter = {
        vaultId: signerOf(context).vaultId,
        tokenId,
        name,
        states,
        now: new Date(nowMs),
      };
      const { items, nextPageToken } = await readPage(
        request,
        "mch",
        ({ machineId }: Machine) => machineId,
        (after, limit) => listMachines(database, filter, after, limit),
      );
      return { machines: await viewMachines(database, items, nowMs), nextPageToken };
    },
  };
}
