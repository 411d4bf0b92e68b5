import type { Services } from "@sallyport/client";
import type { User } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { isId } from "@sallyport/proto/ids";
import { UsageError } from "../app/failure.ts";
import { present, undefinedIfAbsent } from "./lookup.ts";
import { everyPage } from "./pages.ts";

type Users = { readonly services: Pick<Services, "users"> };

/** Every user of the vault who was not removed, newest first. */
export function allUsers(client: Users): Promise<User[]> {
  return everyPage(async (pageToken) => {
    const { users, nextPageToken } = await client.services.users.listUsers({
      pageSize: 200,
      pageToken,
    });
    return { items: users, nextPageToken };
  });
}

/** Finds a user by id, or by name in any case. Throws NOT_FOUND. */
export async function findUser(client: Users, key: string): Promise<User> {
  const found = isId("usr", key)
    ? (await client.services.users.getUser({ userId: key }).catch(undefinedIfAbsent))?.user
    : (await allUsers(client)).find(({ name }) => name.toLowerCase() === key.toLowerCase());
  return present(found, `user ${key}`);
}

const deviceKey = /^usr_[0-9a-hjkmnp-tv-z]{20}\.[0-9a-hjkmnp-tv-z]{20}$/;
const deviceEnd = /^[0-9a-hjkmnp-tv-z]{20}$/;

/** The short name of a device: its keyid without the user's id. */
export function deviceName(keyId: string): string {
  return keyId.slice(keyId.indexOf(".") + 1);
}

/**
 * Checks that a text can be a device: a keyid, or its end. Throws UsageError, which says where they
 * are listed.
 */
export function checkDevice(typed: string): void {
  if (!deviceKey.test(typed) && !deviceEnd.test(typed))
    throw new UsageError(
      `"${typed}" is not a device: 20 characters, or a keyid (usr_….…)`,
      '"sallyport device list --all" shows the devices of everyone',
    );
}

/** The keyid of a device that was typed whole or by its end. Throws NOT_FOUND. */
export async function findDevice(client: Users, typed: string): Promise<string> {
  if (deviceKey.test(typed)) return typed;
  const keyIds = (await allUsers(client)).flatMap(({ devices }) =>
    devices.map(({ keyId }) => keyId),
  );
  const keyId = keyIds.find((each) => deviceName(each) === typed);
  return present(keyId, `device ${typed} that works`);
}
