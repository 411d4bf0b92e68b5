import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { enrollKey, makeToken } from "../testing/fleet.ts";
import {
  type TestUser,
  addDevice,
  addUser,
  makeDeviceCode,
  makeLoginCode,
  redeem,
  renewRequest,
} from "../testing/people.ts";
import { type TestKey, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { removeUser, renewDevice, revokeDevice, signOut } = UserService.method;
const { getToken } = EnrollmentService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

async function works({ keyId }: TestKey): Promise<boolean> {
  return (await world.resolve(keyId)).credential !== undefined;
}

async function standing(...keys: readonly TestKey[]): Promise<boolean[]> {
  return Promise.all(keys.map(works));
}

async function isRevoked(tokenId: string): Promise<boolean> {
  const { token } = await world.call(world.owner, getToken, { tokenId });
  return token?.revokedAt !== undefined;
}

const revoke = (
  { keyId }: TestKey,
  more: { keepDescendants?: boolean; validateOnly?: boolean } = {},
) => world.call(world.owner, revokeDevice, { keyId, reason: "stolen", ...more });

test("a thief's own device does not outlive the revocation of the stolen one", async () => {
  const victim = await addUser(world, Role.ADMIN);
  const thief = await addDevice(world, victim);
  const thiefs = await addDevice(world, thief);
  const { user, descendants } = await revoke(victim);
  expect(await standing(victim, thief, thiefs)).toEqual([false, false, false]);
  expect(user?.devices).toEqual([]);
  expect(descendants?.deviceKeyIds.toSorted()).toEqual([thief.keyId, thiefs.keyId].toSorted());
  const records = world.audit.recordsOf("device.revoked", victim.userId);
  const reasons = records.map(({ detail }) => [detail["key_id"], detail["revoke_reason"]]);
  expect(reasons).toHaveLength(3);
  expect(reasons).toContainEqual([thief.keyId, `came of ${victim.keyId}: stolen`]);
});

test("users that a stolen owner's device invited end, with what they made in turn", async () => {
  const victim = await addUser(world, Role.OWNER);
  const guest = await addUser(world, Role.OWNER, victim);
  const guestsDevice = await addDevice(world, guest);
  const guestsGuest = await addUser(world, Role.DEVELOPER, guestsDevice);
  const tokens = await Promise.all([victim, guest].map((maker) => makeToken(world, {}, maker)));
  const code = await makeLoginCode(world, Role.OWNER, guest);
  await revoke(victim);
  expect(await standing(victim, guest, guestsDevice, guestsGuest)).toEqual([
    false,
    false,
    false,
    false,
  ]);
  for (const { tokenId } of tokens) {
    expect(await isRevoked(tokenId)).toBe(true);
    expect(world.audit.recordsOf("token.revoked", tokenId)).toHaveLength(1);
  }
  for (const { userId } of [guest, guestsGuest])
    expect(world.audit.recordsOf("user.removed", userId)).toHaveLength(1);
  await expect(redeem(world, code, newKey())).rejects.toMatchObject({
    reason: Reason.TOKEN_REVOKED,
  });
});

test("policy keeps out whom a revoked device invited; what it did not hear, a repeat tells it", async () => {
  const victim = await addUser(world, Role.OWNER);
  const guest = await addUser(world, Role.DEVELOPER, victim);
  const kept = await addUser(world, Role.DEVELOPER);
  const unheard = await Promise.all(
    Array.from({ length: 11 }, () => addUser(world, Role.DEVELOPER, victim)),
  );
  const ids = [guest, ...unheard].map(({ userId }) => userId);
  await revoke(victim, { validateOnly: true });
  expect(ids.filter((id) => world.policy.ended.has(id))).toEqual([]);
  world.policy.away = "endUser";
  await expect(revoke(victim)).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
  expect(await standing(victim, guest)).toEqual([false, false]);
  expect(ids.filter((id) => world.policy.ended.has(id))).toEqual([]);
  world.policy.away = "";
  await revoke(victim);
  expect(ids.filter((id) => !world.policy.ended.has(id))).toEqual([]);
  expect(world.policy.ended).not.toContain(kept.userId);
  expect(world.audit.recordsOf("user.removed", guest.userId)).toHaveLength(1);
});

test("renewing a device does not shake off what came of its former keys", async () => {
  const victim = await addUser(world, Role.ADMIN);
  const thief = await addDevice(world, victim);
  const next = newKey();
  const { keyId } = await world.call(victim, renewDevice, renewRequest(victim, next));
  const renewed: TestUser = { ...victim, ...next, keyId };
  const later = await addDevice(world, renewed);
  const thiefsNext = newKey();
  const moved = await world.call(thief, renewDevice, renewRequest(thief, thiefsNext));
  const thiefsLater = await addDevice(world, { ...thief, ...thiefsNext, keyId: moved.keyId });
  await revoke(renewed);
  expect(await standing(later, { ...thiefsNext, keyId: moved.keyId }, thiefsLater)).toEqual([
    false,
    false,
    false,
  ]);
});

test("what others made lives on: the device from which it came, and what came of that", async () => {
  const user = await addUser(world, Role.ADMIN);
  const lost = await addDevice(world, user);
  const sister = await addDevice(world, user);
  const token = await makeToken(world, {}, user);
  const { descendants } = await revoke(lost);
  expect(await standing(lost, user, sister)).toEqual([false, true, true]);
  expect(await isRevoked(token.tokenId)).toBe(false);
  expect(descendants).toMatchObject({ users: [], deviceKeyIds: [], tokenIds: [] });
});

test("with validate_only it is told and nothing ends; kept, the device ends alone, and the rest later", async () => {
  const user = await addUser(world, Role.OWNER);
  const device = await addDevice(world, user);
  const guest = await addUser(world, Role.AUDITOR, user);
  const token = await makeToken(world, { maxUses: 2 }, user);
  await enrollKey(world, token, newKey());
  const spent = await makeToken(world, {}, user);
  await enrollKey(world, spent, newKey());
  await makeDeviceCode(world, device);
  const events = world.audit.events.length;
  const all = {
    users: [{ userId: guest.userId, name: guest.name, role: Role.AUDITOR }],
    deviceKeyIds: [device.keyId],
    loginCodes: 1,
    machines: 2,
  };
  const looked = await revoke(user, { validateOnly: true });
  expect(looked.descendants).toMatchObject(all);
  expect(looked.descendants?.tokenIds).toContain(token.tokenId);
  expect(world.audit.events).toHaveLength(events);
  expect(await standing(user, device, guest)).toEqual([true, true, true]);
  await revoke(user, { keepDescendants: true });
  expect(await standing(user, device, guest)).toEqual([false, true, true]);
  expect(await isRevoked(token.tokenId)).toBe(false);
  await revoke(user);
  expect(await standing(device, guest)).toEqual([false, false]);
  expect(await isRevoked(token.tokenId)).toBe(true);
  expect((await revoke(user, { validateOnly: true })).descendants).toMatchObject({
    users: [],
    deviceKeyIds: [],
    tokenIds: [],
    loginCodes: 0,
    machines: 2,
  });
});

test("signing out and removing a user end nothing that a guest has; revoking the device still does", async () => {
  const user = await addUser(world, Role.OWNER);
  const [device, guest] = [await addDevice(world, user), await addUser(world, Role.AUDITOR, user)];
  await world.call(user, signOut, {});
  expect(await standing(user, device, guest)).toEqual([false, true, true]);
  await world.call(world.owner, removeUser, { userId: user.userId });
  expect(await standing(device, guest)).toEqual([false, true]);
  await revoke(user);
  expect(await standing(guest)).toEqual([false]);
});

test("of more than 500 of a kind so many end with the device, and the rest with a repeat", async () => {
  const user = await addUser(world, Role.ADMIN);
  await makeToken(world, {}, user);
  await world.ownerDatabase.query(
    `insert into enrollment_tokens (token_id, vault_id, key_sha256, description, project_ids, secret_ids,
        created_by, created_by_key, created_at, expires_at, machine_lifetime_ms, max_uses)
     select 'tok_' || lpad(n::text, 20, '0'), vault_id, sha256(('many ' || n)::bytea), '', project_ids, secret_ids,
        created_by, created_by_key, created_at, expires_at, machine_lifetime_ms, max_uses
       from enrollment_tokens, generate_series(1, 500) n where created_by_key = $1`,
    [user.keyId],
  );
  const tokens = async () =>
    (await revoke(user, { validateOnly: true })).descendants?.tokenIds.length;
  expect(await tokens()).toBe(501);
  expect((await revoke(user)).descendants?.tokenIds).toHaveLength(501);
  expect(await works(user)).toBe(false);
  expect(await tokens()).toBe(1);
  await revoke(user);
  expect(await tokens()).toBe(0);
});
