import type { Sallyport } from "@sallyport/client";
import { defineCommand } from "../definition/define.ts";
import { listOf } from "../definition/shape.ts";
import { partsOf } from "../find/pages.ts";
import { allUsers } from "../find/people.ts";
import {
  type ListedUser,
  lastSeen,
  listedUserShape,
  plainUser,
  rolesText,
  seenText,
} from "../views/user.ts";
import { relativeTime } from "../terminal/time.ts";

/** `sallyport user list`: the people of the vault. */
export const userList = defineCommand({
  args: {},
  options: {},
  examples: [
    ["sallyport user list", "everyone who was not removed"],
    [
      "sallyport user list --json | jq -r '.[] | select(.role == \"owner\").name'",
      "the owners' names",
    ],
  ],
  json: listOf(listedUserShape),
  run: ({ context }) => context.session.asUser(everyone),
  show(users, screen) {
    screen.table(
      [
        { title: "NAME", cell: ({ name }) => name, min: 10 },
        { title: "ROLE", cell: ({ role }) => role },
        { title: "PROJ", cell: rolesText, align: "right" },
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

const nothing = { hidden: 0, lister: 0, writer: 0, manager: 0 };

async function everyone(client: Sallyport): Promise<ListedUser[]> {
  const users = await allUsers(client);
  const parts = partsOf(users, 100).map((part) => part.map(({ userId }) => userId));
  const answers = await Promise.all(
    parts.map((userIds) => client.services.projectRoles.countProjectRoles({ userIds })),
  );
  const counts = new Map(
    answers.flatMap((answer) => answer.counts).map((count) => [count.userId, count]),
  );
  return users.map((user) => {
    const { hidden: none, lister, writer, manager } = counts.get(user.userId) ?? nothing;
    return { ...plainUser(user), projectRoles: { none, lister, writer, manager } };
  });
}
