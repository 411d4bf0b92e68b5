import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { confirmed } from "../terminal/confirm.ts";
import { describeProject } from "../find/lookup.ts";
import { relativeTime } from "../terminal/time.ts";
import { projectShape, projectView } from "../views/project.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport project delete PROJECT`: hides an empty project, to be restored within 30 days. */
export const projectDelete = defineCommand({
  description:
    "Only a project in which no secret lives can be deleted; its name is free at once. It can be " +
    "restored for 30 days, then it and its key are gone. It asks first; without a terminal it " +
    "needs --yes.",
  args: { project: required("name or id", { complete: "projects" }) },
  options: { yes: flag("do it without asking") },
  examples: [
    ["sallyport project delete web", "asks, then deletes"],
    ["sallyport project delete web --yes", "in a script"],
  ],
  json: projectShape,
  async run({ args, options: { yes }, context: { session } }) {
    const found = await session.asUser((client) => describeProject(client, args.project));
    await confirmed(`Delete the project ${found.name} (${found.projectId})?`, yes);
    return session.asUserOnce(async (client) => {
      const { projectId, name } = found;
      const { project } = await client.services.projects.deleteProject({ projectId, name });
      if (!project) throw new SallyportError("INTERNAL", "the server described no project");
      return projectView(client, project);
    });
  },
  show({ projectId, name, purgeAt }, screen, { context }) {
    screen.mark("ok", `deleted project ${name}`, projectId);
    context.progress.say(
      `gone permanently ${relativeTime(purgeAt)}; until then: sallyport project restore ` +
        wordOr(name, "PROJECT"),
    );
  },
});
