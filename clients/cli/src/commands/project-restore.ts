import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { findDeletedProject } from "../find/lookup.ts";
import { notRestored } from "../find/restoring.ts";
import { projectShape, projectView } from "../views/project.ts";

/** `sallyport project restore PROJECT`. */
export const projectRestore = defineCommand({
  description: "Secrets that were deleted before the project stay deleted until each is restored.",
  args: { project: required("name or id of a deleted project", { complete: "deletedProjects" }) },
  options: {},
  examples: [
    ["sallyport project restore web", "bring a project back"],
    [
      "sallyport project restore prj_0123456789abcdefghjk",
      "one of several that were called the same",
    ],
  ],
  json: projectShape,
  run: ({ args, context }) =>
    context.session.asUserOnce(async (client) => {
      const projectId = await findDeletedProject(client, args.project);
      const { project } = await client.services.projects
        .restoreProject({ projectId })
        .catch(notRestored);
      if (!project) throw new SallyportError("INTERNAL", "the server described no project");
      return projectView(client, project);
    }),
  show: ({ projectId, name }, screen) => screen.mark("ok", `restored project ${name}`, projectId),
});
