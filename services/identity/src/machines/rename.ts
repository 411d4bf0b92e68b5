import type { ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { fail } from "@sallyport/rpc";
import { actorOf, originOf, signerOf } from "../audit-fields.ts";
import { renameMachine } from "./name-store.ts";
import { lockMachine } from "./store.ts";
import { viewMachine } from "./views.ts";

/** The dependencies of renaming. */
export type RenameParts = {
  readonly database: Pick<Database, "query">;
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

/** Makes RenameMachine. The same name again changes and records nothing. */
export function createRenameMachine(
  parts: RenameParts,
): ForwardHandlers<typeof MachineService>["renameMachine"] {
  return async (context, { machineId, name }) => {
    const { id, vaultId } = signerOf(context);
    const nowMs = parts.clock();
    const renamed = await context.mutate(async (tx) => {
      const machine = await lockMachine(tx, vaultId, machineId);
      if (!machine) throw fail(Reason.NOT_FOUND);
      if (machine.name === name) return machine;
      await renameMachine(tx, machine, name, id, new Date(nowMs));
      const event = newEvent("identity", "machine.renamed", {
        ...actorOf(context),
        ...originOf(context, nowMs),
        vaultId,
        machineId,
        detail: { name, former_name: machine.name },
      });
      await parts.outbox.record(tx, event);
      return { ...machine, name };
    });
    return { machine: await viewMachine(parts.database, renamed, nowMs) };
  };
}
