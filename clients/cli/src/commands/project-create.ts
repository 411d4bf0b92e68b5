import { defineCommand } from "../command/define.ts";
import { required } from "../command/options.ts";
import { object, text } from "../command/shape.ts";

/** `sallyport project create NAME`. */
export const projectCreate = defineCommand({
  args: { name: required("unique in the vault") },
  options: {},
  examples: [["sallyport project create web", "a project called web"]],
  json: object({ projectId: text("the project's id"), name: text("its name") }),
  async run({ args: { name }, context }) {
    const { project } = await context.session.asUserOnce((client) =>
      client.services.projects.createProject({ name }),
    );
    return { projectId: project?.projectId ?? "", name };
  },
  show: ({ projectId, name }, screen) => screen.mark("ok", `made project ${name}`, projectId),
});
