import { type Sallyport, SallyportError, type Services, toSallyportError } from "@sallyport/client";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { Command } from "commander";
import { readValue } from "../input.ts";
import { findProject, findSecret } from "../lookup.ts";
import { printJson, printLine, tick } from "../output.ts";
import { actAs } from "../profile.ts";

type PutOptions = { project: string; file?: string; exact?: true; allowDangerousName?: true; json?: true };

/** `sallyport secret put NAME`: makes a secret or its next version; the value is sealed before it is sent. */
export function secretPut(): Command {
  return new Command("put")
    .description(
      "Store a value, read from standard input, a file or a prompt; a secret that exists gets a new version",
    )
    .argument("<name>", "the secret's name")
    .requiredOption("--project <project>", "project name or id")
    .option("--file <file>", "read the value from a file, byte for byte")
    .option("--exact", "keep a newline at the end of piped input")
    .option("--allow-dangerous-name", "allow a name that runs code when it becomes an environment variable")
    .option("--json", "print the result as JSON")
    .addHelpText("after", '\nExample:\n  printf %s "$DB_URL" | sallyport secret put DB_URL --project web')
    .action(async (name: string, options: PutOptions) => {
      const { file, exact } = options;
      const prompt = `Value of ${name}: `;
      const plaintext = await readValue({
        prompt,
        ...(file === undefined ? {} : { file }),
        ...(exact ? { exact } : {}),
      });
      const secret = await actAs("user", (client) => put(client, name, plaintext, options));
      const { secretId, currentVersion } = secret;
      if (options.json) return printJson({ secretId, name, version: currentVersion });
      printLine(`${tick()} ${name} version ${currentVersion} (${secretId})`);
    });
}

/** What storing a value needs of a client. */
export type Writer = Pick<Sallyport, "createSecret" | "addVersion"> & {
  readonly services: Pick<Services, "projects" | "secrets">;
};

/** Makes a secret or its next version. The value is sealed for the names as they were typed, not as they were looked up. */
export async function put(
  client: Writer,
  name: string,
  plaintext: Uint8Array,
  options: Pick<PutOptions, "project" | "allowDangerousName">,
): Promise<Secret> {
  const { projectId, name: projectName } = await findProject(client, options.project);
  const existing = await findSecret(client, projectId, name).catch(absent);
  if (!existing) {
    return client.createSecret({
      projectId,
      projectName,
      name,
      plaintext,
      allowDangerousName: options.allowDangerousName ?? false,
    });
  }
  const { secretId, currentVersion } = existing;
  return client.addVersion({
    secretId,
    name,
    projectId,
    projectName,
    expectedVersion: currentVersion,
    plaintext,
  });
}

function absent(error: unknown): undefined {
  const known = toSallyportError(error);
  if (known instanceof SallyportError && known.reason === "NOT_FOUND") return undefined;
  throw known;
}
