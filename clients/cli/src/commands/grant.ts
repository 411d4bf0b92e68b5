import type { Sallyport } from "@sallyport/client";
import type { Grant } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { defineCommand } from "../definition/define.ts";
import { anyNumber, flag, required, text } from "../definition/options.ts";
import { integer, listOf, object, text as word } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { findMachine, findProject, locateSecret } from "../find/lookup.ts";
import { fewAtOnce } from "../find/pages.ts";
import { grantShape, grantViews } from "../views/access.ts";

/**
 * `sallyport grant MACHINE SECRET…`: lets a machine read secrets, or sets all that it may read of a
 * project.
 */
export const grant = defineCommand({
  description:
    "The machine must be a member of the project of the secrets. Its other grants stay; naming " +
    "a secret again changes whether its older versions may be read. With --set the named " +
    "secrets become the only ones of the project that it may read, in one step; with none " +
    "named, it may read none.",
  args: {
    machine: required("name or id", { complete: "machines" }),
    secret: anyNumber("secrets by name or id", { complete: "secrets" }),
  },
  options: {
    project: text("the secrets' project, by name or id; needed with --set", {
      value: "project",
      complete: "projects",
    }),
    anyVersion: flag("let it read older versions too, not only the current ones"),
    set: flag("take back what else it may read of the project"),
  },
  examples: [
    ["sallyport grant runner-1 DB_URL API_KEY --project web", "let a machine read two secrets"],
    ["sallyport grant runner-1 DB_URL --project web --any-version", "older versions too"],
    ["sallyport grant runner-1 DB_URL --project web --set", "this one of the project and no other"],
  ],
  json: object({
    machineId: word("the machine's id"),
    machine: word("its name"),
    grants: listOf(grantShape, "its grants of the secrets that were named"),
    removed: integer("how many --set took back"),
  }),
  run: ({ args, options, context }) =>
    context.session.asUserOnce(async (client) => {
      const { machineId, name: machine } = await findMachine(client, args.machine);
      const { grants, removed } = options.set
        ? await setGrants(client, machineId, args.secret, options)
        : await addGrants(client, machineId, args.secret, options);
      return { machineId, machine, grants: await grantViews(client, grants), removed };
    }),
  show({ machine, machineId, grants, removed }, screen, { options: { set, project, anyVersion } }) {
    const names = grants.map(({ secret, secretId }) => secret ?? secretId).join(", ");
    const versions = anyVersion && grants.length > 0 ? ", every version" : "";
    if (!set) return screen.mark("ok", `${machine} may read ${names}${versions}`, machineId);
    const now = names === "" ? `nothing of ${project ?? ""}` : `only ${names} of ${project ?? ""}`;
    const taken = removed === 0 ? "" : `; ${removed} taken back`;
    screen.mark("ok", `${machine} may read ${now}${versions}${taken}`, machineId);
  },
});

type Reach = { readonly project: string | undefined; readonly anyVersion: boolean };
type Given = { readonly grants: readonly Grant[]; readonly removed: number };

// Everything is found before anything is changed, so that a misspelt name changes nothing.
async function addGrants(
  client: Sallyport,
  machineId: string,
  keys: readonly string[],
  { project, anyVersion }: Reach,
): Promise<Given> {
  if (keys.length === 0)
    throw new UsageError("no secret was named", "name the secrets after the machine");
  const secrets = await fewAtOnce(keys, (key) => locateSecret(client, key, project));
  // One after the other; a grant that is given twice is given once.
  const given = await fewAtOnce(
    secrets,
    async ({ secretId }) => {
      const { grant: added } = await client.services.grants.addGrant({
        machineId,
        secretId,
        anyVersion,
      });
      return added ?? [];
    },
    1,
  );
  return { grants: given.flat(), removed: 0 };
}

async function setGrants(
  client: Sallyport,
  machineId: string,
  keys: readonly string[],
  { project, anyVersion }: Reach,
): Promise<Given> {
  if (project === undefined)
    throw new UsageError("--set needs to know of which project", "name it with --project");
  const { projectId } = await findProject(client, project);
  const secrets = await fewAtOnce(keys, (key) => locateSecret(client, key, project));
  const secretIds = [...new Set(secrets.map(({ secretId }) => secretId))];
  return client.services.grants.setGrants({ machineId, projectId, secretIds, anyVersion });
}
