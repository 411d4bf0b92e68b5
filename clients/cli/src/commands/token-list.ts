import { words } from "../definition/bounded.ts";
import { defineCommand } from "../definition/define.ts";
import { integer } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";
import { plainToken, tokenShape, tokenStates } from "../views/token.ts";

/** `sallyport token list`: the enrollment tokens of the vault. */
export const tokenList = defineCommand({
  args: {},
  options: {
    state: words("only those that are now", tokenStates),
    limit: integer("how many, the newest; all if not given", { min: 1, max: 1_000_000 }),
  },
  examples: [
    ["sallyport token list --state open", "what can still enroll"],
    [
      "sallyport token list --json | jq '.[] | select(.sourceCidrs == [])'",
      "those that enroll from everywhere",
    ],
  ],
  json: listOf(tokenShape),
  async run({ options: { state, limit }, context }) {
    const tokens = await context.session.asUser((client) =>
      everyPage(async (pageToken) => {
        const page = await client.services.enrollment.listTokens({ pageSize: 200, pageToken });
        return { items: page.tokens, nextPageToken: page.nextPageToken };
      }),
    );
    return tokens
      .map((token) => plainToken(token))
      .filter((token) => state.length === 0 || state.some((word) => word === token.state))
      .slice(0, limit);
  },
  show(tokens, screen) {
    screen.table(
      [
        { title: "TOKEN", cell: ({ tokenId }) => tokenId },
        {
          title: "STATE",
          cell: ({ state }) => state,
          style: ({ state }) => (state === "open" ? "green" : undefined),
        },
        { title: "USES", cell: ({ uses, maxUses }) => `${uses}/${maxUses}`, align: "right" },
        { title: "LAST USED", cell: ({ lastUsedAt }) => relativeTime(lastUsedAt), min: 8 },
        { title: "EXPIRES", cell: ({ expiresAt }) => relativeTime(expiresAt) },
        { title: "DESCRIPTION", cell: ({ description }) => description || "-", min: 8 },
      ],
      tokens,
      'There are no such tokens: "sallyport token create" makes one.',
    );
  },
});
