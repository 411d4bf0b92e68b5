import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { locateSecret } from "../find/lookup.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { grantShape, grantViews } from "../views/access.ts";
import { personText } from "../views/person.ts";
import { ofProject } from "../views/secret-options.ts";

/** `sallyport secret access SECRET`: who can read it. */
export const secretAccess = defineCommand({
  description:
    "By the same rules as a read itself: a machine that was disabled is listed with the reason.",
  args: { secret: required("name or id", { complete: "secrets" }) },
  options: ofProject,
  examples: [
    ["sallyport secret access DB_URL", "who can read it, and since when"],
    [
      "sallyport secret access DB_URL --json | jq -r '.[] | select(.refusal == null).machine'",
      "names alone",
    ],
  ],
  json: listOf(grantShape),
  run: ({ args, options: { project }, context }) =>
    context.session.asUser(async (client) => {
      const { secretId } = await locateSecret(client, args.secret, project);
      const grants = await everyPage(async (pageToken) => {
        const page = await client.services.grants.listGrantsBySecret({
          secretId,
          pageSize: 1000,
          pageToken,
        });
        return { items: page.grants, nextPageToken: page.nextPageToken };
      });
      return grantViews(client, grants);
    }),
  show(grants, screen, { args }) {
    screen.table(
      [
        { title: "MACHINE", cell: ({ machine, machineId }) => machine ?? machineId, min: 10 },
        {
          title: "CAN READ",
          cell: ({ refusal, anyVersion }) =>
            refusal ?? (anyVersion ? "every version" : "current version"),
          style: ({ refusal }) => (refusal === null ? "green" : "red"),
        },
        { title: "GRANTED", cell: ({ createdAt }) => relativeTime(createdAt) },
        { title: "BY", cell: ({ createdBy }) => personText(createdBy), min: 6 },
        { title: "ID", cell: ({ machineId }) => machineId, min: 12, style: () => "dim" },
      ],
      grants,
      `No machine may read ${args.secret}.`,
    );
  },
});
