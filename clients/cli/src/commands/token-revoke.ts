import { SallyportError } from "@sallyport/client";
import { reasonOption } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, required } from "../definition/options.ts";
import { integer, object } from "../definition/shape.ts";
import { confirmed } from "../terminal/confirm.ts";
import { checkTokenId, findToken } from "../tokens/find.ts";
import { revokeAll } from "../tokens/revoke-all.ts";
import { plainToken, tokenKeys } from "../views/token.ts";

/**
 * `sallyport token revoke TOKEN`: stops new enrollments, and with --cascade ends the token's
 * machines.
 */
export const tokenRevoke = defineCommand({
  description:
    "Machines that it made live on, unless --cascade ends them too, 500 at a time until none is " +
    "left. Revoking it again continues a cascade that left some. Asks on a terminal, and " +
    "needs --yes without one.",
  args: { token: required("the token's id, not its text", { complete: "tokens" }) },
  options: {
    cascade: flag("end the machines that it made, too"),
    reason: reasonOption,
    yes: flag("do not ask"),
  },
  examples: [
    ["sallyport token revoke tok_0123456789abcdefghjk", "stop new enrollments"],
    [
      'sallyport token revoke tok_0123456789abcdefghjk --cascade --reason "leaked in a log"',
      "end all it made",
    ],
  ],
  json: object({
    machinesRevoked: integer("how many machines were ended with it"),
    ...tokenKeys,
  }),
  async run({ args, options: { cascade, reason, yes }, context }) {
    const tokenId = checkTokenId(args.token);
    const { description } = await context.session.asUser((client) => findToken(client, tokenId));
    const called = description === "" ? tokenId : `${tokenId} (${description})`;
    await confirmed(
      `Revoke token ${called}${cascade ? " and every machine that it made" : ""} permanently?`,
      yes,
    );
    // Each call has its own time: there may be many.
    const { token, revoked } = await revokeAll(
      () =>
        context.session.asUserOnce((client) =>
          client.services.enrollment.revokeToken({ tokenId, reason, cascade }),
        ),
      (text) => context.progress.say(text),
    );
    if (!token) throw new SallyportError("INTERNAL", "the server described no token");
    return { machinesRevoked: revoked, ...plainToken(token) };
  },
  show({ tokenId, uses, machinesRevoked }, screen, { options: { cascade } }) {
    screen.mark("ok", "revoked: nothing enrolls with it any more", tokenId);
    if (cascade) screen.mark("ok", `ended ${machinesRevoked} of its machines; none is left`);
    else if (uses > 0) screen.line("  Machines that it made live on; --cascade ends them.");
  },
});
