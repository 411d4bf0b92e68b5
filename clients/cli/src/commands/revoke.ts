import { SallyportError, toSallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required, several, text } from "../definition/options.ts";
import { listOf, object, text as word } from "../definition/shape.ts";
import { findMachine, locateSecret } from "../find/lookup.ts";
import { fewAtOnce } from "../find/pages.ts";

/**
 * `sallyport revoke MACHINE SECRET…`: takes back the right to read secrets; the next read is
 * refused.
 */
export const revoke = defineCommand({
  description:
    'The machine stays a member of the project. To end a machine, see "sallyport machine revoke".',
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
      const located = await fewAtOnce(args.secret, (key) => locateSecret(client, key, project));
      const found = [...new Map(located.map((secret) => [secret.secretId, secret])).values()];
      await takeBack(machine, found, ({ secretId }) =>
        client.services.grants.removeGrant({ machineId, secretId }),
      );
      return {
        machineId,
        machine,
        secrets: found.map(({ secretId, name }) => ({ secretId, name })),
      };
    }),
  show: ({ machine, machineId, secrets }, screen) =>
    screen.mark(
      "ok",
      `${machine} may read ${secrets.map(({ name }) => name).join(", ")} no more`,
      machineId,
    ),
});

type Named = { readonly secretId: string; readonly name: string };

/**
 * Takes back one grant after the other. One that there is not keeps no other from being taken back.
 * Throws NOT_FOUND, which says which there were not, or what else the server failed with.
 */
export async function takeBack(
  machine: string,
  secrets: readonly Named[],
  remove: (secret: Named) => Promise<unknown>,
): Promise<void> {
  const absent: Named[] = [];
  for (const secret of secrets) {
    const error = await remove(secret).then(() => undefined, toSallyportError);
    if (error && (error.reason !== "NOT_FOUND" || secrets.length === 1)) throw error;
    if (error) absent.push(secret);
  }
  if (absent.length === 0) return;
  const names = absent.map(({ name }) => name).join(", ");
  const others = absent.length < secrets.length ? "; the others were taken back" : "";
  throw new SallyportError("NOT_FOUND", `${machine} had no grant of ${names}${others}`, {
    metadata: { field: "grant" },
  });
}
