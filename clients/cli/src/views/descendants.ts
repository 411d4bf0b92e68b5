import type { Descendants } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { integer } from "../command/shape.ts";

/** The counts among what came of a device, as --json shows them. */
export const descendantKeys = {
  loginCodes: integer("how many login codes made by any of them could still be redeemed"),
  machines: integer("how many machines live that were enrolled with their tokens; they do not end"),
};

/** What came of a device as --json shows it. */
export type PlainDescendants = {
  readonly users: readonly { readonly userId: string; readonly name: string }[];
  readonly devices: readonly string[];
  readonly tokens: readonly string[];
  readonly loginCodes: number;
  readonly machines: number;
};

/** What came of a device, from what the server says. */
export function plainDescendants(found: Descendants | undefined): PlainDescendants {
  return {
    users: (found?.users ?? []).map(({ userId, name }) => ({ userId, name })),
    devices: found?.deviceKeyIds ?? [],
    tokens: found?.tokenIds ?? [],
    loginCodes: found?.loginCodes ?? 0,
    machines: found?.machines ?? 0,
  };
}

/** How much came of it, in words: "2 users, 1 device"; empty for nothing. */
export function describe({ users, devices, tokens, loginCodes, machines }: PlainDescendants): string {
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
