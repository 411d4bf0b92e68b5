import { login, saveIdentity } from "@sallyport/client";
import { Command } from "commander";
import { promptHidden } from "../input.ts";
import { printJson, printLine, tick } from "../output.ts";
import { endpointOf, identityPath } from "../profile.ts";
import { UsageError } from "../failure.ts";
import { text as readText } from "node:stream/consumers";

/** `sallyport login`: turns a login code into this computer's user identity. */
export function loginCommand(): Command {
  return new Command("login")
    .description("Become a user of a vault with a login code, read from standard input or a prompt")
    .option("--name <name>", "how you are shown in lists and records", process.env["USER"] || "owner")
    .option("--json", "print the result as JSON")
    .addHelpText("after", '\nExample:\n  printf %s "$CODE" | sallyport login --name ada')
    .action(async (options: { name: string; json?: true }) => {
      const endpoint = await endpointOf();
      const code = (
        process.stdin.isTTY ? await promptHidden("Login code: ") : await readText(process.stdin)
      ).trim();
      if (code === "") throw new UsageError("no login code was given: pipe it in, or run this on a terminal");
      const identity = await login(endpoint, code, options.name);
      const path = identityPath("user");
      await saveIdentity(path, identity);
      const { principalId, vaultId, expiresAt } = identity;
      if (options.json) return printJson({ userId: principalId, vaultId, expiresAt, identity: path });
      printLine(`${tick()} you are ${options.name} (${principalId}) in ${vaultId} until ${expiresAt}`);
    });
}
