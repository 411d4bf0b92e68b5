import { Command, CommanderError } from "commander";
import { auditList } from "./commands/audit-list.ts";
import { enrollCommand } from "./commands/enroll.ts";
import { getCommand } from "./commands/get.ts";
import { listCommand } from "./commands/list.ts";
import { loginCommand } from "./commands/login.ts";
import { machineRevoke } from "./commands/machine-revoke.ts";
import { projectCreate } from "./commands/project-create.ts";
import { runCommand } from "./commands/run.ts";
import { secretPut } from "./commands/secret-put.ts";
import { tokenCreate } from "./commands/token-create.ts";
import { whoamiCommand } from "./commands/whoami.ts";
import { exitCodeOf, explain } from "./failure.ts";

const environment = `
Environment:
  SALLYPORT_URL               where the gateway answers, such as https://sallyport.example:8443
  SALLYPORT_CA                PEM file of the gateway's CA, when the system does not know it
  SALLYPORT_IDENTITY          identity file to use instead of the one under ~/.config/sallyport
  SALLYPORT_ENROLLMENT_TOKEN  token for enroll

Exit codes: 0 done, 1 unexpected, 2 usage, 3 refused, 4 identity, 5 not found or conflict, 6 unavailable.`;

function group(name: string, description: string, ...commands: Command[]): Command {
  const parent = new Command(name).description(description);
  for (const command of commands) parent.addCommand(command);
  return parent;
}

/** Runs one command line and returns its exit code. Errors go to standard error, with the next step. */
export async function run(args: readonly string[]): Promise<number> {
  const program = new Command("sallyport")
    .description("Secrets for machines that prove who they are on every request")
    .version("0.1.0")
    .enablePositionalOptions()
    .addHelpText("after", environment)
    .addCommand(loginCommand())
    .addCommand(whoamiCommand())
    .addCommand(group("project", "Projects", projectCreate()))
    .addCommand(group("secret", "Secrets", secretPut()))
    .addCommand(group("token", "Enrollment tokens", tokenCreate()))
    .addCommand(enrollCommand())
    .addCommand(group("machine", "Machines", machineRevoke()))
    .addCommand(listCommand())
    .addCommand(getCommand())
    .addCommand(runCommand())
    .addCommand(group("audit", "The record of what happened", auditList()));
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap((child) => child.commands),
  ]) {
    command.exitOverride().showHelpAfterError("(--help shows the options)");
  }
  try {
    await program.parseAsync([...args], { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`sallyport: ${explain(error)}\n`);
    return exitCodeOf(error);
  }
}
