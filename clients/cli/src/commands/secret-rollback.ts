import { type Sallyport, type Services, SallyportError } from "@sallyport/client";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { integer, required } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { locateSecret } from "../find/lookup.ts";
import { ofProject } from "../views/secret-options.ts";
import { secretShape, secretView } from "../views/secret.ts";

/** `sallyport secret rollback SECRET`: makes a former value current, as a new version. */
export const secretRollback = defineCommand({
  description:
    "The value of a former version is stored again as the next version, without being shown. " +
    "Machines read it at once, and no version is lost. Without --to it is the version before the " +
    "current one; after a rollback, --to says which version is wanted.",
  args: { secret: required("name or id", { complete: "secrets" }) },
  options: {
    ...ofProject,
    to: integer(
      "the version whose value is wanted",
      { min: 1, max: 4_294_967_293 },
      { value: "version" },
    ),
    expectedVersion: integer("refuse unless this is the current version", {
      min: 2,
      max: 4_294_967_294,
    }),
  },
  examples: [
    ["sallyport secret rollback DB_URL", "undo the last change"],
    ["sallyport secret rollback DB_URL --to 3", "the value of version 3"],
    [
      "sallyport secret rollback DB_URL --to 3 --expected-version 5",
      "only while version 5 is current",
    ],
  ],
  json: secretShape,
  run: ({ args, options: { project, ...asked }, context }) =>
    context.session.asUserOnce(async (client) => {
      const secret = await locateSecret(client, args.secret, project);
      return secretView(client, await rollBack(client, secret, asked));
    }),
  show: ({ secretId, name, version, rollbackOf }, screen) =>
    screen.mark(
      "ok",
      `rolled ${name} back to the value of version ${rollbackOf}`,
      `${secretId}, version ${version}`,
    ),
});

type Writer = {
  readonly services: { readonly secrets: Pick<Services["secrets"], "rollbackSecret"> };
};
type Asked = { readonly to?: number | undefined; readonly expectedVersion?: number | undefined };

/**
 * Rolls a secret back. Throws UsageError for a version that is not older, and where none can be
 * meant.
 */
export async function rollBack(
  client: Writer | Sallyport,
  secret: Secret,
  { to, expectedVersion = secret.currentVersion }: Asked,
): Promise<Secret> {
  const toVersion = to ?? versionBefore(secret);
  if (toVersion >= expectedVersion) throw notOlder(secret, toVersion);
  const { secretId, projectId } = secret;
  const request = { secretId, projectId, expectedVersion, toVersion };
  const { secret: changed } = await client.services.secrets.rollbackSecret(request);
  if (!changed) throw new SallyportError("INTERNAL", "the server described no secret");
  return changed;
}

// The one before a rollback is what was rolled back from: as likely the wrong one as not.
function versionBefore({ name, currentVersion, rollbackOf }: Secret): number {
  if (currentVersion === 1)
    throw new UsageError(
      `version 1 of ${name} is its first`,
      "store another value with secret put",
    );
  if (rollbackOf !== 0)
    throw new UsageError(
      `version ${currentVersion} of ${name} is itself a rollback, to version ${rollbackOf}`,
      "say which version is wanted with --to",
    );
  return currentVersion - 1;
}

function notOlder({ name, currentVersion }: Secret, asked: number): UsageError {
  const is = asked === currentVersion ? "is the current one" : "is not older than the current one";
  return new UsageError(
    asked > currentVersion
      ? `there is no version ${asked} of ${name}: version ${currentVersion} is the current one`
      : `version ${asked} of ${name} ${is}`,
    'list them with "sallyport secret versions SECRET"',
  );
}
