import type { Descendants } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { integer } from "../definition/shape.ts";

/** The counts among what came of a device, as --json shows them. */
export const descendantKeys = {
  loginCodes: integer("how many login codes made by any of them could still be redeemed"),
  machines: integer("how many machines live that were enrolled with their tokens; they do not end"),
};

/** Everything that a device led to, as --json shows it. */
export type PlainDescendants = {
  readonly users: readonly { readonly userId: string; readonly name: string }[];
  readonly devices: readonly string[];
  readonly tokens: readonly string[];
  readonly loginCodes: number;
  readonly machines: number;
};

/** Everything that a device led to, as the server reports it. */
export function plainDescendants(found: Descendants | undefined): PlainDescendants {
  return {
    users: (found?.users ?? []).map(({ userId, name }) => ({ userId, name })),
    devices: found?.deviceKeyIds ?? [],
    tokens: found?.tokenIds ?? [],
    loginCodes: found?.loginCodes ?? 0,
    machines: found?.machines ?? 0,
  };
}

const mostAtOnce = 500;

/** Tells whether there may be more than one answer lists: then the call is repeated. */
export function isCut({ users, devices, tokens }: PlainDescendants): boolean {
  return Math.max(users.length, devices.length, tokens.length) > mostAtOnce;
}

/** The union of two answers; the counts are the first one's. */
export function joined(first: PlainDescendants, next: PlainDescendants): PlainDescendants {
  const users = new Map([...first.users, ...next.users].map((user) => [user.userId, user]));
  return {
    ...first,
    users: [...users.values()],
    devices: [...new Set([...first.devices, ...next.devices])],
    tokens: [...new Set([...first.tokens, ...next.tokens])],
  };
}

/** The counts in words: "2 users, 1 device"; empty for nothing. */
export function describe({
  users,
  devices,
  tokens,
  loginCodes,
  machines,
}: PlainDescendants): string {
  const counts = [
    [users.length, "user"],
    [devices.length, "device"],
    [tokens.length, "enrollment token"],
    [loginCodes, "login code"],
    [machines, "machine"],
  ] as const;
  const some = counts.filter(([count]) => count > 0);
  return some.map(([count, what]) => `${count} ${what}${count === 1 ? "" : "s"}`).join(", ");
}
