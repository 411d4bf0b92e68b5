import { SallyportError } from "@sallyport/client";
import { reasonOption } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { integer, object, text, time } from "../definition/shape.ts";
import { confirmed } from "../terminal/confirm.ts";
import { findUser } from "../find/people.ts";
import { iso } from "../views/timestamp.ts";

/** `sallyport user remove USER`: ends a user permanently. */
export const userRemove = defineCommand({
  description:
    "Takes an owner. Immediately and permanently ends every device, enrollment token and " +
    "unused login code of the user. Machines made with the tokens live on, and so do users " +
    'whom this one invited: after a theft run "sallyport device revoke", before or after. Asks ' +
    "on a terminal, and needs --yes without one.",
  args: { user: required("the user's name or id", { complete: "users" }) },
  options: { reason: reasonOption, yes: flag("do not ask") },
  examples: [
    ['sallyport user remove grace --reason "left the company"', "asks first"],
    ["sallyport user remove grace --yes", "in a script"],
  ],
  json: object({
    userId: text("the user's id"),
    name: text("the user's name"),
    removedAt: time("when the user was removed"),
    tokensRevoked: integer("how many enrollment tokens ended with the user"),
    loginCodesRevoked: integer("how many unused login codes did"),
  }),
  async run({ args, options: { reason, yes }, context }) {
    const { userId, name } = await context.session.asUser((client) => findUser(client, args.user));
    await confirmed(`Remove ${name} (${userId}) from the vault permanently?`, yes);
    const { user, tokensRevoked, loginCodesRevoked } = await context.session.asUserOnce((client) =>
      client.services.users.removeUser({ userId, reason }),
    );
    if (!user) throw new SallyportError("INTERNAL", "the server described no user");
    return { userId, name, removedAt: iso(user.removedAt), tokensRevoked, loginCodesRevoked };
  },
  show({ name, userId, tokensRevoked, loginCodesRevoked }, screen) {
    screen.mark("ok", `removed ${name}`, userId);
    if (tokensRevoked + loginCodesRevoked > 0)
      screen.line(
        `  and ${counted(tokensRevoked, "enrollment token")}, ` +
          counted(loginCodesRevoked, "login code"),
      );
    if (tokensRevoked > 0)
      screen.line(
        '  Machines live on; "sallyport token revoke TOKEN --cascade" ends those of a token.',
      );
  },
});

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
