import { type Sallyport, type Services, SallyportError } from "@sallyport/client";
import type { Secret } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, integer, required } from "../definition/options.ts";
import { boolean, integer as whole, object, text as word } from "../definition/shape.ts";
import { findProject, findSecret, undefinedIfAbsent } from "../find/lookup.ts";
import { type GivenValue, givenOptions, readGiven, refuseAssignment } from "../values/given.ts";
import { intoProject, nameRule, targetOf } from "../values/target.ts";

/** `sallyport secret put NAME`: stores the next version of a secret, or makes it. */
export const secretPut = defineCommand({
  description:
    "The value comes from standard input, a file or a prompt, never from the command line, " +
    "where other programs could see it. One line end of piped input is dropped, and an empty " +
    "value refused unless --allow-empty is given. Fields are replaced as a whole: those that " +
    "are not given are not kept. Machines read the new version at once; the older ones stay, " +
    'for machines that may read them and for "sallyport secret rollback".',
  args: { name: required(nameRule, { complete: "secrets" }) },
  options: {
    ...intoProject,
    ...givenOptions,
    expectedVersion: integer(
      "refuse unless this is the current version; 0: unless there is no such secret yet",
      { min: 0, max: 4_294_967_294 },
    ),
    allowDangerousName: flag("allow a name that makes programs run code, such as LD_PRELOAD"),
  },
  examples: [
    ["sallyport secret put DB_URL --project web", "asks for the value without showing it"],
    ['printf %s "$DB_URL" | sallyport secret put DB_URL --project web', "from a pipe"],
    ["sallyport secret put TLS_KEY --project web --file key.pem", "from a file"],
    [
      "sallyport secret put API_KEY --project web --generate --expected-version 3",
      "only after version 3",
    ],
  ],
  json: object({
    secretId: word("the secret's id"),
    name: word("its name"),
    version: whole("the version that was stored"),
    created: boolean("whether the secret was made by this"),
  }),
  async run({ args, options, context }) {
    refuseAssignment(args.name);
    const { name, project } = targetOf(args.name, options.project);
    const value = await readGiven(name, options);
    const target = { ...options, project };
    const secret = await context.session.asUserOnce((client) => put(client, name, value, target));
    const { secretId, currentVersion: version } = secret;
    return { secretId, name, version, created: version === 1 };
  },
  show({ secretId, name, version, created }, screen, { args, context, options }) {
    screen.mark("ok", `stored ${name}, version ${version}`, secretId);
    const { project } = targetOf(args.name, options.project);
    if (created)
      context.progress.say(`${name} is new in ${project}: no machine may read it before a grant`);
  },
});

/** The part of a client that storing a value needs. */
export type Writer = Pick<Sallyport, "createSecret" | "addVersion"> & {
  readonly services: Pick<Services, "projects" | "secrets">;
};

type Place = {
  readonly project: string;
  readonly allowDangerousName: boolean;
  readonly expectedVersion?: number | undefined;
};

/**
 * Makes a secret or its next version. The value is sealed for the names as they were typed, not as
 * they were looked up.
 */
export async function put(
  client: Writer,
  name: string,
  value: GivenValue,
  { project, allowDangerousName, expectedVersion }: Place,
): Promise<Secret> {
  const { projectId, name: projectName } = await findProject(client, project);
  const existing = await findSecret(client, projectId, name).catch(undefinedIfAbsent);
  const current = existing?.currentVersion ?? 0;
  if (expectedVersion !== undefined && expectedVersion !== current)
    throw new SallyportError(
      "VERSION_CONFLICT",
      `${name} is at version ${current}, not ${expectedVersion}`,
    );
  if (!existing)
    return client.createSecret({ projectId, projectName, name, ...value, allowDangerousName });
  const { secretId } = existing;
  return client.addVersion({
    secretId,
    name,
    projectId,
    projectName,
    expectedVersion: current,
    ...value,
  });
}
