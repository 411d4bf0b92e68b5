import type { Sallyport } from "@sallyport/client";
import { SallyportError } from "@sallyport/client/error";
import type { Machine } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import type { Context } from "../app/context.ts";
import { CliError } from "../app/failure.ts";
import { findMachine } from "./lookup.ts";
import { stateWord } from "../views/machine.ts";

/** A machine that was found, to be changed. Throws NOT_FOUND or NAME_AMBIGUOUS. */
export function machineToChange(context: Context, key: string): Promise<Machine> {
  return context.session.asUser((client) => findMachine(client, key));
}

/** The same, which must not have ended. Throws MACHINE_ENDED, which says how, too. */
export async function livingMachine(
  context: Context,
  key: string,
  wanted: string,
): Promise<Machine> {
  const machine = await machineToChange(context, key);
  const state = stateWord(machine);
  if (state === "revoked" || state === "expired")
    throw new CliError(
      "MACHINE_ENDED",
      `${machine.name} (${machine.machineId}) is ${state}: it cannot be ${wanted}`,
    );
  return machine;
}

/** Makes one change to a machine, and gives the machine as it is then. */
export async function changeMachine(
  context: Context,
  change: (
    machines: Sallyport["services"]["machines"],
  ) => Promise<{ readonly machine?: Machine | undefined }>,
): Promise<Machine> {
  const { machine } = await context.session.asUserOnce((client) =>
    change(client.services.machines),
  );
  if (!machine) throw new SallyportError("INTERNAL", "the server described no machine");
  return machine;
}
