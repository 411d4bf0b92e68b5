import { defineCommand } from "../command/define.ts";
import { required, several, text } from "../command/options.ts";
import { listOf, object, text as word } from "../command/shape.ts";
import { findMachine, locateSecret } from "../lookup.ts";
import { fewAtOnce } from "../pages.ts";

/** `sallyport revoke MACHINE SECRET…`: takes back the right to read secrets; the next read is refused. */
export const revoke = defineCommand({
  description: 'The machine stays a member of the project. To end a machine, see "sallyport machine revoke".',
  args: {
    machine: required("name or id", { complete: "machines" }),
    secret: several("secrets by name or id", { complete: "secrets" }),
  },
  options: {
    project: text("the secrets' project, when a name is in several", {
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport revoke runner-1 DB_URL", "its next read is refused"],
    ["sallyport revoke runner-1 DB_URL API_KEY --project web", "two of one project"],
  ],
  json: object({
    machineId: word("the machine's id"),
    machine: word("its name"),
    secrets: listOf(
      object({ secretId: word("the secret's id"), name: word("its name") }),
      "what it may read no more",
    ),
  }),
  run: ({ args, options: { project }, context }) =>
    context.session.asUserOnce(async (client) => {
      const { machineId, name: machine } = await findMachine(client, args.machine);
      const found = await fewAtOnce(args.secret, (key) => locateSecret(client, key, project));
      for (const { secretId } of found) await client.services.grants.removeGrant({ machineId, secretId });
      return { machineId, machine, secrets: found.map(({ secretId, name }) => ({ secretId, name })) };
    }),
  show: ({ machine, machineId, secrets }, screen) =>
    screen.mark("ok", `${machine} may read ${secrets.map(({ name }) => name).join(", ")} no more`, machineId),
});
