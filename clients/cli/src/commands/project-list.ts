import { defineCommand } from "../definition/define.ts";
import { flag } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { everyProject } from "../find/lookup.ts";
import { relativeTime } from "../terminal/time.ts";
import { personText } from "../views/person.ts";
import { type ProjectView, projectShape, projectViews } from "../views/project.ts";

/** `sallyport project list`: the projects of the vault, or the deleted ones. */
export const projectList = defineCommand({
  args: {},
  options: { deleted: flag("the deleted ones instead, which can be restored for 30 days") },
  examples: [
    ["sallyport project list", "all projects"],
    ["sallyport project list --deleted", "what can be restored, and until when"],
  ],
  json: listOf(projectShape),
  async run({ options: { deleted }, context }) {
    const projects = await context.session.asUser(async (client) =>
      projectViews(client, await everyProject(client, deleted)),
    );
    return projects.filter(({ deletedAt }) => (deletedAt !== null) === deleted);
  },
  show(projects, screen, { options: { deleted } }) {
    const when = deleted
      ? [
          { title: "DELETED", cell: ({ deletedAt }: ProjectView) => relativeTime(deletedAt) },
          { title: "GONE", cell: ({ purgeAt }: ProjectView) => relativeTime(purgeAt) },
        ]
      : [
          {
            title: "SECRETS",
            cell: ({ secrets }: ProjectView) => String(secrets),
            align: "right" as const,
          },
          { title: "MADE", cell: ({ createdAt }: ProjectView) => relativeTime(createdAt) },
          { title: "BY", cell: ({ createdBy }: ProjectView) => personText(createdBy), min: 8 },
        ];
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 12 },
        ...when,
        { title: "ID", cell: ({ projectId }) => projectId, style: () => "dim" },
      ],
      projects,
      deleted
        ? "No project was deleted."
        : 'There is no project yet: make one with "sallyport project create".',
    );
  },
});
