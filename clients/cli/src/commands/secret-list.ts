import { defineCommand } from "../definition/define.ts";
import { flag, text } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { everyProject, everySecret, findProject } from "../find/lookup.ts";
import { fewAtOnce } from "../find/pages.ts";
import type { Column } from "../terminal/table.ts";
import { relativeTime } from "../terminal/time.ts";
import { personText } from "../views/person.ts";
import { type SecretView, secretShape, secretViews } from "../views/secret.ts";

/** `sallyport secret list`: secrets of one or all projects, without values. */
export const secretList = defineCommand({
  args: {},
  options: {
    project: text("only of this project, by name or id", {
      value: "project",
      complete: "projects",
    }),
    deleted: flag("the deleted ones instead, which can be restored for 30 days"),
  },
  examples: [
    ["sallyport secret list", "the secrets of all projects"],
    ["sallyport secret list --project web --deleted", "what can be restored in one of them"],
  ],
  json: listOf(secretShape),
  async run({ options: { project, deleted }, context }) {
    const secrets = await context.session.asUser(async (client) => {
      const projects =
        project === undefined
          ? await everyProject(client, deleted)
          : [await findProject(client, project)];
      const all = await fewAtOnce(projects, ({ projectId }) =>
        everySecret(client, projectId, deleted),
      );
      return secretViews(client, all.flat());
    });
    return secrets.filter(({ deletedAt }) => (deletedAt !== null) === deleted);
  },
  show(secrets, screen, { options: { project, deleted } }) {
    const none = deleted
      ? "No secret was deleted."
      : 'There is no secret yet: make one with "sallyport secret create".';
    const where: Column<SecretView>[] =
      project === undefined ? [{ title: "PROJECT", cell: (secret) => secret.project, min: 8 }] : [];
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 12 },
        ...where,
        ...(deleted ? deletedColumns : livingColumns),
      ],
      secrets,
      none,
    );
  },
});

const livingColumns: readonly Column<SecretView>[] = [
  { title: "VERSION", cell: ({ version }) => String(version), align: "right" },
  { title: "KIND", cell: ({ kind }) => kind },
  { title: "CHANGED", cell: ({ updatedAt }) => relativeTime(updatedAt) },
  { title: "BY", cell: ({ updatedBy }) => personText(updatedBy), min: 6 },
  { title: "NOTE", cell: ({ note }) => note.split("\n")[0] ?? "", min: 8 },
];

const deletedColumns: readonly Column<SecretView>[] = [
  { title: "DELETED", cell: ({ deletedAt }) => relativeTime(deletedAt) },
  { title: "BY", cell: ({ deletedBy }) => personText(deletedBy), min: 6 },
  { title: "GONE", cell: ({ purgeAt }) => relativeTime(purgeAt) },
  { title: "ID", cell: ({ secretId }) => secretId, style: () => "dim" },
];
