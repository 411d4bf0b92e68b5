import { Command } from "commander";
import { printJson, printLine, tick } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport machine revoke ID`. */
export function machineRevoke(): Command {
  return new Command("revoke")
    .description("End a machine for good; its grants and memberships go with it")
    .argument("<machine>", "machine id")
    .option("--reason <text>", "kept in the record", "")
    .option("--json", "print the result as JSON")
    .action(async (machineId: string, options: { reason: string; json?: true }) => {
      await actAs("user", (client) =>
        client.services.machines.revokeMachine({ machineId, reason: options.reason }),
      );
      if (options.json) return printJson({ machineId, state: "revoked" });
      printLine(`${tick()} ${machineId} is revoked`);
    });
}
