import { defineCommand } from "../definition/define.ts";
import { required, text } from "../definition/options.ts";
import { listOf, mapOf, object, text as word } from "../definition/shape.ts";
import { findMachine, findProject } from "../find/lookup.ts";
import { namesOf } from "../find/names.ts";
import { everyPage } from "../find/pages.ts";
import { type GrantView, grantShape, grantViews } from "../views/access.ts";
import { relativeTime } from "../terminal/time.ts";
import { stateWord } from "../views/machine.ts";
import { personText } from "../views/person.ts";

/** `sallyport machine access MACHINE`: what a machine can read, and what keeps it from reading. */
export const machineAccess = defineCommand({
  description:
    "Lists every grant of the machine, by project, with the reason for which a read would be " +
    "refused now. The rules are those of the read itself.",
  args: { machine: required("the machine's name or id", { complete: "machines" }) },
  options: {
    project: text("only of this project, by name or id", {
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport machine access runner-1", "everything that it was granted"],
    [
      "sallyport machine access runner-1 --json | jq -r '.[] | select(.refusal == null).secret'",
      "what it can read now",
    ],
  ],
  json: object({
    machineId: word("the machine's id"),
    name: word("its name"),
    state: word("`provisioning`, `active`, `disabled`, `revoked` or `expired`"),
    grants: listOf(grantShape, "its grants, by project and secret"),
    projectNames: mapOf(
      word("the project's name"),
      "names of the projects by id, as far as they may be seen",
    ),
  }),
  run: ({ args, options: { project }, context }) =>
    context.session.asUser(async (client) => {
      const machine = await findMachine(client, args.machine);
      const { machineId, name } = machine;
      const projectId = project === undefined ? "" : (await findProject(client, project)).projectId;
      const found = await everyPage(async (pageToken) => {
        const query = { machineId, projectId, pageSize: 1000, pageToken };
        const page = await client.services.grants.listGrantsByMachine(query);
        return { items: page.grants, nextPageToken: page.nextPageToken };
      });
      const names = await namesOf(
        client,
        found.map((grant) => grant.projectId),
      );
      const targetOf = (grant: GrantView): string =>
        `${names.get(grant.projectId) ?? grant.projectId}/${grant.secret ?? grant.secretId}`;
      const grants = (await grantViews(client, found)).toSorted((a, b) =>
        compare(targetOf(a), targetOf(b)),
      );
      return {
        machineId,
        name,
        state: stateWord(machine),
        grants,
        projectNames: Object.fromEntries(names),
      };
    }),
  show({ name, grants, projectNames }, screen) {
    screen.table(
      [
        { title: "PROJECT", cell: ({ projectId }) => projectNames[projectId] ?? projectId, min: 8 },
        { title: "SECRET", cell: ({ secret, secretId }) => secret ?? secretId, min: 12 },
        { title: "VERSIONS", cell: ({ anyVersion }) => (anyVersion ? "all" : "current") },
        {
          title: "READ NOW",
          cell: ({ refusal }) => refusal ?? "yes",
          style: ({ refusal }) => (refusal === null ? "green" : "red"),
        },
        { title: "GRANTED", cell: ({ createdAt }) => relativeTime(createdAt) },
        { title: "BY", cell: ({ createdBy }) => personText(createdBy), min: 6 },
      ],
      grants,
      `${name} was granted nothing.`,
    );
  },
});

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
