import { defineCommand } from "../definition/define.ts";
import { flag } from "../definition/options.ts";
import { listOf } from "../definition/shape.ts";
import { type PlainCode, loginCodeShape, plainCode } from "../views/login-code.ts";
import { everyPage } from "../find/pages.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport user codes`: the login codes of the vault, spent ones too. */
export const userCodes = defineCommand({
  args: {},
  options: { open: flag("only those that can still be redeemed") },
  examples: [
    ["sallyport user codes", "every login code, newest first"],
    ["sallyport user codes --open", "which invitations are out"],
  ],
  json: listOf(loginCodeShape),
  async run({ options: { open }, context }) {
    const codes = await context.session.asUser((client) =>
      everyPage(async (pageToken) => {
        const page = await client.services.users.listLoginCodes({ pageSize: 200, pageToken });
        return { items: page.loginCodes, nextPageToken: page.nextPageToken };
      }),
    );
    return codes.map((code) => plainCode(code)).filter(({ state }) => !open || state === "open");
  },
  show(codes, screen) {
    screen.table(
      [
        { title: "CODE", cell: ({ codeId }) => codeId },
        {
          title: "STATE",
          cell: ({ state }) => state,
          style: ({ state }) => (state === "open" ? "green" : undefined),
        },
        { title: "FOR", cell: purpose, min: 8 },
        { title: "EXPIRES", cell: ({ expiresAt }) => relativeTime(expiresAt) },
        {
          title: "MADE BY",
          cell: ({ createdBy, createdByName }) => createdByName || createdBy || "-",
          min: 7,
        },
      ],
      codes,
      'There are no such codes: "sallyport user invite" makes one.',
    );
  },
});

function purpose({ role, userId }: PlainCode): string {
  return userId === "" ? `new ${role}` : "further device";
}
