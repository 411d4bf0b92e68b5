import { Command } from "commander";
import { printJson, printLine, tick } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport project create NAME`. */
export function projectCreate(): Command {
  return new Command("create")
    .description("Make a project with a key of its own")
    .argument("<name>", "unique in the vault")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  sallyport project create web")
    .action(async (name: string, options: { json?: true }) => {
      const { project } = await actAs("user", (client) => client.services.projects.createProject({ name }));
      if (options.json) return printJson({ projectId: project?.projectId, name });
      printLine(`${tick()} project ${name} (${project?.projectId ?? ""})`);
    });
}
