import { type ReadResult, type Sallyport, SallyportError } from "@sallyport/client";
import { isId } from "@sallyport/proto/ids";
import { Command } from "commander";
import { UsageError } from "../failure.ts";
import { printJson } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport get NAME`: one value to standard output, byte for byte. */
export function getCommand(): Command {
  return new Command("get")
    .description("Read one secret; the value goes to standard output as it is")
    .argument("<secret>", "name or id")
    .option("--project <project>", "project name or id, when the name is in several")
    .option("--json", "print the result as JSON, the value in base64")
    .addHelpText("after", "\nExample:\n  sallyport get DB_URL")
    .action(async (secret: string, options: { project?: string; json?: true }) => {
      const result = await actAs("machine", (client) => read(client, secret, options.project));
      if (result.kind === "refused")
        throw new SallyportError({ told: result.reason }, `${secret} was refused`);
      const { secretId, name, version, plaintext } = result;
      if (options.json)
        return printJson({ secretId, name, version, value: Buffer.from(plaintext).toString("base64") });
      process.stdout.write(plaintext);
      if (process.stdout.isTTY) process.stdout.write("\n");
    });
}

/** What reading by name needs of a client. */
export type Reader = Pick<Sallyport, "read" | "listReadable">;

/**
 * Reads one secret by id or name. Throws REPLY_UNTRUSTED when what was signed has another name than was asked for: the
 * lookup that gave the id is not signed.
 */
export async function read(client: Reader, secret: string, project: string | undefined): Promise<ReadResult> {
  const byId = isId("sec", secret);
  const secretId = byId ? secret : await idOf(client, secret, project);
  const [result] = await client.read({ secretIds: [secretId] });
  if (!result) throw new SallyportError("NOT_GRANTED", `${secret} cannot be read`);
  if (!byId && result.kind === "value" && result.name !== secret)
    throw new SallyportError("REPLY_UNTRUSTED", `the reply cannot be trusted: it is not about ${secret}`);
  return result;
}

async function idOf(client: Reader, name: string, project: string | undefined): Promise<string> {
  const readable = await client.listReadable();
  const found = readable.filter(
    (secret) =>
      secret.name === name &&
      (project === undefined || [secret.projectId, secret.projectName].includes(project)),
  );
  if (found.length > 1)
    throw new UsageError(
      `${name} is in ${found.map((secret) => secret.projectName).join(", ")}: choose with --project`,
    );
  const [only] = found;
  // The same words whether it does not exist or was not granted: the difference is not this machine's to know.
  if (!only)
    throw new SallyportError(
      "NOT_GRANTED",
      `no grant covers ${name}: "sallyport list" shows what this machine may read`,
    );
  return only.secretId;
}
