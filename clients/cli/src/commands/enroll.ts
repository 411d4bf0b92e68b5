import { enroll, saveIdentity } from "@sallyport/client";
import { Command } from "commander";
import { UsageError } from "../failure.ts";
import { printJson, printLine, tick } from "../output.ts";
import { endpointOf, identityPath } from "../profile.ts";

/** `sallyport enroll`: makes this computer a machine of a vault. */
export function enrollCommand(): Command {
  return new Command("enroll")
    .description(
      "Become a machine with the token in SALLYPORT_ENROLLMENT_TOKEN; the token itself is not sent",
    )
    .option("--name <name>", "the machine's name; the host name by default")
    .option("--json", "print the result as JSON")
    .addHelpText("after", '\nExample:\n  SALLYPORT_ENROLLMENT_TOKEN="$TOKEN" sallyport enroll')
    .action(async (options: { name?: string; json?: true }) => {
      const token = process.env["SALLYPORT_ENROLLMENT_TOKEN"];
      if (!token)
        throw new UsageError("SALLYPORT_ENROLLMENT_TOKEN is not set: put the enrollment token into it");
      const identity = await enroll(
        await endpointOf(),
        token,
        options.name === undefined ? {} : { name: options.name },
      );
      const path = identityPath("machine");
      await saveIdentity(path, identity);
      const { principalId, name, vaultId, expiresAt } = identity;
      if (options.json)
        return printJson({ machineId: principalId, name, vaultId, expiresAt, identity: path });
      printLine(`${tick()} machine ${name} (${principalId}) until ${expiresAt}`);
    });
}
