import { defineCommand } from "../definition/define.ts";
import { required, text as textOption } from "../definition/options.ts";
import { object, text } from "../definition/shape.ts";
import { findProject } from "../find/lookup.ts";
import { userIdOf } from "../find/project-roles.ts";

/** `sallyport role rm USER --project P`. */
export const roleRm = defineCommand({
  description:
    "The change is immediate: a developer can then list the project and change nothing there.",
  args: { user: required("the user's name or id", { complete: "users" }) },
  options: {
    project: textOption("the project, by name or id", {
      required: true,
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport role rm grace --project web", "the user's next change there is refused"],
    ["sallyport role rm usr_0123456789abcdefghjk --project web", "by the user's id"],
  ],
  json: object({
    userId: text("the user's id"),
    projectId: text("the project's id"),
    project: text("the project's name"),
  }),
  run: ({ args, options, context }) =>
    context.session.asUserOnce(async (client) => {
      const userId = await userIdOf(client, args.user);
      const { projectId, name: project } = await findProject(client, options.project);
      await client.services.projectRoles.removeProjectRole({ userId, projectId });
      return { userId, projectId, project };
    }),
  show({ userId, project }, screen, { args }) {
    screen.mark("ok", `${args.user} has no role of its own in ${project} any more`, userId);
  },
});
