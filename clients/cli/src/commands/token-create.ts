import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Sallyport, SallyportError, formatToken, newTokenSecret } from "@sallyport/client";
import { Command } from "commander";
import { parseDuration } from "../duration.ts";
import { UsageError } from "../failure.ts";
import { findProject, findSecret } from "../lookup.ts";
import { printJson, printLine } from "../output.ts";
import { actAs } from "../profile.ts";

type TokenOptions = {
  project: string;
  secret: string[];
  ttl: string;
  machineTtl: string;
  uses: string;
  description: string;
  json?: true;
};

/** `sallyport token create`: makes an enrollment token; its secret half is made here and shown once. */
export function tokenCreate(): Command {
  return new Command("create")
    .description("Make an enrollment token for a pipeline; it is shown once")
    .requiredOption("--project <project>", "project that its machines join, name or id")
    .requiredOption("--secret <name...>", "secrets that its machines may read")
    .option("--ttl <duration>", "how long the token enrolls, 60s to 365d", "1h")
    .option("--machine-ttl <duration>", "how long each machine lives, 60s to 30d", "1h")
    .option("--uses <count>", "how many machines it may make", "1")
    .option("--description <text>", "for people", "")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  sallyport token create --project web --secret DB_URL API_KEY --uses 100 --ttl 30d",
    )
    .action(async (options: TokenOptions) => {
      const uses = Number(options.uses);
      if (!Number.isInteger(uses) || uses < 1)
        throw new UsageError(`"${options.uses}" is not a number of uses`);
      const created = await actAs("user", (client, identity) => create(client, identity, options, uses));
      if (options.json) return printJson(created);
      printLine(created.token);
      process.stderr.write(`Shown once. It makes up to ${uses} machines until ${created.expiresAt}.\n`);
    });
}

async function create(
  client: Sallyport,
  identity: { readonly vaultId: string; readonly rootFingerprint: string },
  options: TokenOptions,
  maxUses: number,
): Promise<{ token: string; tokenId: string; expiresAt: string }> {
  const project = await findProject(client, options.project);
  const secrets = await Promise.all(
    options.secret.map((name) => findSecret(client, project.projectId, name)),
  );
  const { seed, publicKeySha256 } = newTokenSecret();
  const { token } = await client.services.enrollment.createToken({
    tokenKeySha256: publicKeySha256,
    projectIds: [project.projectId],
    secretIds: secrets.map((secret) => secret?.secretId ?? ""),
    tokenLifetime: durationFromMs(parseDuration(options.ttl) * 1000),
    machineLifetime: durationFromMs(parseDuration(options.machineTtl) * 1000),
    maxUses,
    description: options.description,
  });
  if (!token?.expiresAt) throw new SallyportError("INTERNAL", "the server described no token");
  const { vaultId, rootFingerprint } = identity;
  const text = formatToken("enr", { id: token.tokenId, vaultId, rootFingerprint, seed });
  return {
    token: text,
    tokenId: token.tokenId,
    expiresAt: new Date(Number(token.expiresAt.seconds) * 1000).toISOString(),
  };
}
