import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Tx } from "@sallyport/postgres";
import type { UserSchema } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { describeUser } from "./describe.ts";
import { findSightings } from "../keys/sighting-store.ts";
import { findWorkingKeys } from "../devices/store.ts";
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
