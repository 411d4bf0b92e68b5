import { Command } from "commander";
import { printJson, printTable } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport list`: what this machine may read. */
export function listCommand(): Command {
  return new Command("list")
    .description("List what this machine may read, without values")
    .option("--json", "print the result as JSON")
    .action(async (options: { json?: true }) => {
      const secrets = await actAs("machine", (client) => client.listReadable());
      const shown = secrets.map(({ secretId, name, projectName, version }) => ({
        name,
        project: projectName,
        version,
        secretId,
      }));
      if (options.json) return printJson(shown);
      const rows = shown.map(({ name, project, version, secretId }) => [
        name,
        project,
        String(version),
        secretId,
      ]);
      printTable(["NAME", "PROJECT", "VERSION", "ID"], rows);
    });
}
