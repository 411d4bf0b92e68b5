import { defineCommand } from "../command/define.ts";
import { required } from "../command/options.ts";
import { findUser } from "../people.ts";
import { plainUser, showUser, userShape } from "../views/user.ts";

/** `sallyport user show USER`: one user with their devices. */
export const userShow = defineCommand({
  description: "Somebody who was removed is found by id only.",
  args: { user: required("the user's name or id", { complete: "users" }) },
  options: {},
  examples: [
    ["sallyport user show ada", "by name"],
    ["sallyport user show usr_0123456789abcdefghjk", "by id, also after they were removed"],
  ],
  json: userShape,
  run: ({ args, context }) =>
    context.session.asUser(async (client) => plainUser(await findUser(client, args.user))),
  show: showUser,
});
