import { defineCommand } from "../command/define.ts";
import { listOf } from "../command/shape.ts";
import { allUsers } from "../people.ts";
import { lastSeen, plainUser, seenText, userShape } from "../views/user.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport user list`: the people of the vault. */
export const userList = defineCommand({
  args: {},
  options: {},
  examples: [
    ["sallyport user list", "everyone who was not removed"],
    ["sallyport user list --json | jq -r '.[] | select(.role == \"owner\").name'", "the owners' names"],
  ],
  json: listOf(userShape),
  run: async ({ context }) => (await context.session.asUser(allUsers)).map(plainUser),
  show(users, screen) {
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 10 },
        { title: "ROLE", cell: ({ role }) => role },
        { title: "DEVICES", cell: ({ devices }) => String(devices.length), align: "right" },
        { title: "LAST SEEN", cell: ({ devices }) => seenText(lastSeen(devices)) },
        { title: "JOINED", cell: ({ createdAt }) => relativeTime(createdAt) },
        { title: "ID", cell: ({ userId }) => userId, style: () => "dim" },
      ],
      users,
      "There is nobody.",
    );
  },
});
