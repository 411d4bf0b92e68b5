import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { findUser } from "../find/people.ts";
import { rolesOfUser } from "../find/project-roles.ts";
import { projectRoleViews } from "../views/project-role.ts";
import { plainUser, showUser, wholeUserShape } from "../views/user.ts";

/** `sallyport user show USER`: one user with their devices and project roles. */
export const userShow = defineCommand({
  description: "A removed user is found by id only.",
  args: { user: required("the user's name or id", { complete: "users" }) },
  options: {},
  examples: [
    ["sallyport user show ada", "by name"],
    ["sallyport user show usr_0123456789abcdefghjk", "by id, also after they were removed"],
  ],
  json: wholeUserShape,
  run: ({ args, context }) =>
    context.session.asUser(async (client) => {
      const user = plainUser(await findUser(client, args.user));
      const given = await rolesOfUser(client, user.userId);
      return { ...user, projectRoles: await projectRoleViews(client, given) };
    }),
  show: showUser,
});
