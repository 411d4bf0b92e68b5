import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  DescendantsSchema,
  DeviceSchema,
  LoginCodeSchema,
  UserSchema,
} from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { describeSighting } from "../machines/describe.ts";
import { endOf } from "../devices/device-key.ts";
import type { Descendants } from "../devices/descendant-store.ts";
import type { LoginCode } from "../login-codes/store.ts";
import { roleOf } from "./roles.ts";
import type { Sighting } from "../keys/sighting-store.ts";
import type { UserKey } from "../devices/store.ts";
import type { User } from "./store.ts";

/** A login code as its vault's people see it. */
export function describeLoginCode(code: LoginCode): MessageInitShape<typeof LoginCodeSchema> {
  return {
    codeId: code.codeId,
    role: roleOf(code.role),
    userId: code.userId ?? "",
    createdBy: code.createdBy ?? "",
    createdByName: code.createdByName ?? "",
    createdAt: timestampFromDate(code.createdAt),
    expiresAt: timestampFromDate(code.expiresAt),
    redeemedBy: code.redeemedBy ?? "",
    ...(code.revokedAt ? { revokedAt: timestampFromDate(code.revokedAt) } : {}),
    ...(code.redeemedAt ? { redeemedAt: timestampFromDate(code.redeemedAt) } : {}),
  };
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
