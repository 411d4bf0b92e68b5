import { defineCommand } from "../definition/define.ts";
import { required } from "../definition/options.ts";
import { object } from "../definition/shape.ts";
import { checkTokenId, findToken } from "../tokens/find.ts";
import { namesShape, plainToken, scopeNames, showToken, tokenKeys } from "../views/token.ts";

/** `sallyport token show TOKEN`: one enrollment token whole. */
export const tokenShow = defineCommand({
  description: '"sallyport machine list --token TOKEN" lists the machines that it made.',
  args: { token: required("the token's id, not its text", { complete: "tokens" }) },
  options: {},
  examples: [
    [
      "sallyport token show tok_0123456789abcdefghjk",
      "what it may do, its uses and its restrictions",
    ],
  ],
  json: object({ ...tokenKeys, names: namesShape }),
  async run({ args, context }) {
    const tokenId = checkTokenId(args.token);
    return context.session.asUser(async (client) => {
      const token = plainToken(await findToken(client, tokenId));
      return { ...token, names: await scopeNames(client, token) };
    });
  },
  show: showToken,
});
