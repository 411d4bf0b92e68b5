import type { User } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import {
  type ValueOf,
  integer,
  listOf,
  nullable,
  object,
  text,
  time,
} from "../definition/shape.ts";
import { deviceName } from "../find/people.ts";
import type { Screen } from "../terminal/screen.ts";
import type { Column } from "../terminal/table.ts";
import { relativeTime } from "../terminal/time.ts";
import { iso } from "./timestamp.ts";
import { type PlainDevice, deviceShape, plainDevice } from "./device.ts";
import { momentOf } from "./moment.ts";
import { projectRoleShape } from "./project-role.ts";
import { roleWord } from "./role.ts";

const userKeys = {
  userId: text("the user's id"),
  name: text("the user's name"),
  role: text("`owner`, `admin`, `developer` or `auditor`"),
  createdAt: time("when the login code was redeemed"),
  removedAt: nullable(time("when the user was removed; null when not")),
  devices: listOf(deviceShape, "the device keys that work, newest first"),
};

const userShape = object(userKeys);

/** A user. */
export type PlainUser = ValueOf<typeof userShape>;

/** A user in a list, with the number of projects in which the user has each role. */
export const listedUserShape = object({
  ...userKeys,
  projectRoles: object(
    {
      none: integer("how many projects are hidden from the user"),
      lister: integer("how many the user lists"),
      writer: integer("how many the user writes"),
      manager: integer("how many the user manages"),
    },
    "in how many projects the user was given which role",
  ),
});

/** A user in a list. */
export type ListedUser = ValueOf<typeof listedUserShape>;

/** One user with the roles in projects. */
export const wholeUserShape = object({
  ...userKeys,
  projectRoles: listOf(projectRoleShape, "the roles that the user was given in projects"),
});

/** One user whole. */
export type WholeUser = ValueOf<typeof wholeUserShape>;

/** A user as --json shows them, from what the server says. */
export function plainUser(user: User): PlainUser {
  const { userId, name, role, createdAt, removedAt, devices } = user;
  return {
    userId,
    name,
    role: roleWord(role),
    createdAt: iso(createdAt),
    removedAt: momentOf(removedAt),
    devices: devices.map(plainDevice),
  };
}

/** Time of the last request that any device of a user signed; null for never. */
export function lastSeen(devices: readonly PlainDevice[]): string | null {
  return (
    devices
      .flatMap(({ lastSeenAt }) => lastSeenAt ?? [])
      .toSorted()
      .at(-1) ?? null
  );
}

/** When something was last seen; a clock that is a moment ahead makes it no future. */
export function seenText(lastSeenAt: string | null): string {
  return lastSeenAt !== null && Date.parse(lastSeenAt) >= Date.now()
    ? "now"
    : relativeTime(lastSeenAt);
}

/** The columns of a device, which is shown as it may be typed. */
export const deviceColumns: readonly Column<PlainDevice>[] = [
  { title: "DEVICE", cell: ({ keyId }) => deviceName(keyId) },
  { title: "LAST SEEN", cell: ({ lastSeenAt }) => seenText(lastSeenAt) },
  { title: "EXPIRES", cell: ({ expiresAt }) => relativeTime(expiresAt) },
  { title: "FROM", cell: ({ lastSourceIp }) => lastSourceIp || "-", min: 9 },
  { title: "CLIENT", cell: ({ client }) => client || "-", min: 6, style: () => "dim" },
];

/** In how many projects a user was given a role, in a cell. */
export function rolesText({ projectRoles }: ListedUser): string {
  const given = Object.values(projectRoles).reduce((sum, count) => sum + count, 0);
  return given === 0 ? "-" : String(given);
}

/** Shows one user whole. */
export function showUser(user: WholeUser, screen: Screen): void {
  screen.facts([
    ["name", user.name],
    ["role", user.role],
    ["id", user.userId],
    ["joined", relativeTime(user.createdAt)],
    ...(user.removedAt === null ? [] : ([["removed", relativeTime(user.removedAt)]] as const)),
  ]);
  screen.line("");
  screen.table(deviceColumns, user.devices, "No device key of this user works.");
  if (user.projectRoles.length === 0) return;
  screen.line("");
  screen.table(
    [
      { title: "PROJECT", cell: ({ project }) => project, min: 10 },
      { title: "ROLE", cell: ({ role }) => role },
    ],
    user.projectRoles,
    "",
  );
}
