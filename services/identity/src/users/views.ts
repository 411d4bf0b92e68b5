import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  DescendantsSchema,
  DeviceSchema,
  UserSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { describeSighting } from "../machines/views.ts";
import { endOf } from "../devices/device-key.ts";
import type { Descendants } from "../devices/descendant-store.ts";
import { roleOf } from "./roles.ts";
import { type Sighting, findSightings } from "../keys/sighting-store.ts";
import { type UserKey, findWorkingKeys } from "../devices/store.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Tx } from "@sallyport/postgres";
import type { User } from "./store.ts";

/** The most devices of one user that are returned, the newest ones. */
const mostDevices = 50;

/** Users as the vault's people see them, in the same order, with their devices. */
export async function viewUsers(
  db: Tx,
  users: readonly User[],
  now: Date,
): Promise<MessageInitShape<typeof UserSchema>[]> {
  const userIds = users.map(({ userId }) => userId);
  const keys = await findWorkingKeys(db, userIds, now, mostDevices);
  const sightings = await findSightings(
    db,
    keys.map(({ keyId }) => keyId),
  );
  return users.map((user) => {
    const own = keys.filter(({ userId }) => userId === user.userId);
    return describeUser(user, own, sightings);
  });
}

/** One user as the vault's people see it. */
export async function viewUser(
  db: Tx,
  user: User,
  now: Date,
): Promise<MessageInitShape<typeof UserSchema>> {
  const [view] = await viewUsers(db, [user], now);
  return view ?? {};
}

/**
 * A user as the vault's people see it, with the device keys that work and when they were last seen.
 */
export function describeUser(
  user: User,
  keys: readonly UserKey[],
  sightings: ReadonlyMap<string, Sighting>,
): MessageInitShape<typeof UserSchema> {
  const { userId, name, role, createdAt, removedAt } = user;
  return {
    userId,
    name,
    role: roleOf(role),
    createdAt: timestampFromDate(createdAt),
    devices: keys.map((key) => describeDevice(key, sightings.get(key.keyId))),
    ...(removedAt ? { removedAt: timestampFromDate(removedAt) } : {}),
  };
}

function describeDevice(
  key: UserKey,
  sighting: Sighting | undefined,
): MessageInitShape<typeof DeviceSchema> {
  const { keyId, publicKey, createdAt } = key;
  return {
    keyId,
    publicKey,
    createdAt: timestampFromDate(createdAt),
    expiresAt: timestampFromDate(endOf(key)),
    ...describeSighting(sighting),
  };
}

/** Describes what came of a device, as an owner sees it. */
export function describeDescendants(
  found: Descendants,
): MessageInitShape<typeof DescendantsSchema> {
  return {
    users: found.users.map((user) => describeUser(user, [], new Map())),
    deviceKeyIds: found.devices.map(({ keyId }) => keyId),
    tokenIds: found.tokenIds,
    loginCodes: found.codes,
    machines: found.machines,
  };
}
