import type { Sallyport } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { text } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { UsageError } from "../app/failure.ts";
import { findProject } from "../find/lookup.ts";
import { ownRoles, rolesInProject, rolesOfUser, userIdOf } from "../find/project-roles.ts";
import { relativeTime } from "../terminal/time.ts";
import { personText } from "../views/person.ts";
import { type ProjectRoleView, projectRoleShape, projectRoleViews } from "../views/project-role.ts";

type Whose = { readonly project: string | undefined; readonly user: string | undefined };

/**
 * `sallyport role list`: lists the roles of users in a project, or the projects in which one user
 * has a role.
 */
export const roleList = defineCommand({
  description: "Without an option: your own roles.",
  args: {},
  options: {
    project: text("who has a role in this project, by name or id", {
      value: "project",
      complete: "projects",
    }),
    user: text("the roles of this user, by name or id", { value: "user", complete: "users" }),
  },
  examples: [
    ["sallyport role list --project web", "who may do what in a project"],
    ["sallyport role list --user grace", "what a developer may do where"],
    ["sallyport role list", "what you may do"],
  ],
  json: listOf(projectRoleShape),
  run: ({ options, context }) =>
    context.session.asUser(async (client) =>
      projectRoleViews(client, await rolesFor(client, options)),
    ),
  show(roles, screen, { options }) {
    screen.table(
      [
        { title: "PROJECT", cell: ({ project }: ProjectRoleView) => project, min: 10 },
        { title: "USER", cell: ({ user, userId }: ProjectRoleView) => user ?? userId, min: 10 },
        { title: "ROLE", cell: ({ role }: ProjectRoleView) => role },
        { title: "SET", cell: ({ updatedAt }: ProjectRoleView) => relativeTime(updatedAt) },
        { title: "BY", cell: ({ updatedBy }: ProjectRoleView) => personText(updatedBy) },
      ],
      roles,
      noneText(options),
    );
  },
});

async function rolesFor(client: Sallyport, { project, user }: Whose) {
  if (project !== undefined && user !== undefined)
    throw new UsageError("of a project or of a user?", "give one of --project and --user");
  if (project !== undefined)
    return rolesInProject(client, (await findProject(client, project)).projectId);
  return user === undefined ? ownRoles(client) : rolesOfUser(client, await userIdOf(client, user));
}

function noneText({ project, user }: Whose): string {
  if (project !== undefined) return `Nobody has a role of their own in ${project}.`;
  return `${user ?? "This user"} has no role of their own in any project.`;
}
