import { UsageError } from "../app/failure.ts";
import { defineCommand } from "../definition/define.ts";
import { flag, optional } from "../definition/options.ts";
import { listOf, object, text } from "../definition/shape.ts";
import { deviceKeys, plainDevice } from "../views/device.ts";
import { allUsers, findUser } from "../find/people.ts";
import { deviceColumns } from "../views/user.ts";

/** `sallyport device list [USER]`: the device keys of a user that work. */
export const deviceList = defineCommand({
  description: "Your own devices if no user is named. Takes an owner, admin or auditor.",
  args: { user: optional("whose; your own if not given", { complete: "users" }) },
  options: { all: flag("of everyone in the vault") },
  examples: [
    ["sallyport device list", "your own"],
    ["sallyport device list --all", "of everyone"],
  ],
  json: listOf(
    object({ userId: text("the user's id"), userName: text("the user's name"), ...deviceKeys }),
  ),
  async run({ args, options: { all }, context }) {
    if (all && args.user !== undefined) throw new UsageError("--all does not go with a user");
    const users = await context.session.asUser(async (client, { principalId }) =>
      all ? allUsers(client) : [await findUser(client, args.user ?? principalId)],
    );
    return users.flatMap(({ userId, name: userName, devices }) =>
      devices.map((device) => ({ userId, userName, ...plainDevice(device) })),
    );
  },
  show(devices, screen, { options: { all } }) {
    const of = { title: "USER", cell: ({ userName }: { userName: string }) => userName, min: 6 };
    screen.table(
      all ? [of, ...deviceColumns] : deviceColumns,
      devices,
      "No device key of this user works.",
    );
  },
});
