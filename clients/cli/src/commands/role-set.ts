import { SallyportError } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { required, text } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { findProject } from "../find/lookup.ts";
import { userIdOf } from "../find/project-roles.ts";
import {
  projectRoleOf,
  projectRoleShape,
  projectRoleViews,
  projectRoles,
} from "../views/project-role.ts";

/** `sallyport role set USER ROLE --project P`. */
export const roleSet = defineCommand({
  description:
    "A developer without a role can list the project. none hides it; writer may change " +
    "secrets; manager may also grant machines and set roles there. Owners, admins and auditors " +
    "are not bound by it.",
  args: {
    user: required("the user's name or id", { complete: "users" }),
    role: required(projectRoles.join(", "), { complete: { words: projectRoles } }),
  },
  options: {
    project: text("the project, by name or id", {
      required: true,
      value: "project",
      complete: "projects",
    }),
  },
  examples: [
    ["sallyport role set grace writer --project web", "let a developer write its secrets"],
    ["sallyport role set grace none --project ops", "hide a project from a developer"],
  ],
  json: projectRoleShape,
  run: ({ args, options, context }) => {
    const role = projectRoleOf(args.role);
    if (role === undefined)
      throw new UsageError(`"${args.role}" is not a role`, `write ${projectRoles.join(", ")}`);
    return context.session.asUserOnce(async (client) => {
      const userId = await userIdOf(client, args.user);
      const { projectId } = await findProject(client, options.project);
      const request = { userId, projectId, role };
      const { projectRole } = await client.services.projectRoles.setProjectRole(request);
      const [view] = await projectRoleViews(client, projectRole ? [projectRole] : []);
      if (!view) throw new SallyportError("INTERNAL", "the server described no role");
      return view;
    });
  },
  show({ user, userId, role, project }, screen) {
    screen.mark("ok", `${user ?? userId} is ${role} in ${project}`, userId);
  },
});
