import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { projectShape, projectView } from "../views/project.ts";
import { wordOr } from "../terminal/word.ts";

/** `sallyport project create NAME`. */
export const projectCreate = defineCommand({
  args: { name: required("unique in the vault: letters, digits and . _ -, 128 at most") },
  options: {},
  examples: [
    ["sallyport project create web", "a project called web"],
    ["sallyport project create web --json | jq -r .projectId", "its id, for scripts"],
  ],
  json: projectShape,
  run: ({ args: { name }, context }) =>
    context.session.asUserOnce(async (client) => {
      const { project } = await client.services.projects.createProject({ name });
      if (!project) throw new SallyportError("INTERNAL", "the server described no project");
      return projectView(client, project);
    }),
  show({ projectId, name }, screen, { context }) {
    screen.mark("ok", `made project ${name}`, projectId);
    context.progress.say(
      `put a secret into it: sallyport secret create NAME --project ${wordOr(name, "PROJECT")}`,
    );
  },
});
