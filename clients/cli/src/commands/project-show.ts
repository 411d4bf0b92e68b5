import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { describeProject } from "../find/lookup.ts";
import { momentText } from "../terminal/time.ts";
import { personText } from "../views/person.ts";
import { projectShape, projectView } from "../views/project.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport project show PROJECT`. */
export const projectShow = defineCommand({
  args: { project: required("name or id; a deleted one by its id", { complete: "projects" }) },
  options: {},
  examples: [
    ["sallyport project show web", "what a project is"],
    ["sallyport project show web --json | jq .secrets", "how many secrets it holds"],
  ],
  json: projectShape,
  run: ({ args, context }) =>
    context.session.asUser(async (client) =>
      projectView(client, await describeProject(client, args.project)),
    ),
  show({ projectId, name, secrets, createdAt, createdBy, deletedAt, deletedBy, purgeAt }, screen) {
    screen.facts([
      ["name", name],
      ["id", projectId],
      ["secrets", String(secrets)],
      ["made", `${momentText(createdAt)} by ${personText(createdBy)}`],
    ]);
    if (deletedAt === null) return;
    screen.facts([
      ["deleted", `${momentText(deletedAt)} by ${personText(deletedBy)}`],
      ["gone", momentText(purgeAt)],
    ]);
    screen.line(
      `It can be restored until then: sallyport project restore ${wordOr(projectId, "PROJECT")}`,
    );
  },
});
