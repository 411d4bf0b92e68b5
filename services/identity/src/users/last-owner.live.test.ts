import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deviceKeyLifetimeMs } from "../devices/device-key.ts";
import {
  type TestUser,
  addDevice,
  addUser,
  addVault,
  makeLoginCode,
  renewRequest,
} from "../testing/people.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { removeUser, renewDevice, revokeDevice, signOut } = UserService.method;
const lastOwner = { reason: Reason.LAST_OWNER };

let world: World;
/** The only owner of a vault of its own. */
let owner: TestUser;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  world.clock.nowMs += 1000;
  owner = await addVault(world);
});

async function works({ keyId }: TestUser): Promise<boolean> {
  return (await world.resolve(keyId)).credential !== undefined;
}

/** How many owners of the vault can act. */
async function actingOwners(vaultId: string): Promise<number> {
  const rows = await world.database.query<{ user_id: string }>(
    `select distinct user_id from users join user_keys k using (user_id)
      where vault_id = $1 and role = 'owner' and removed_at is null and k.revoked_at is null and k.expires_at > $2`,
    [vaultId, new Date(world.clock.nowMs)],
  );
  return rows.length;
}

describe("the last owner", () => {
  test("is not removed, and loses neither the last device nor the session; nothing is recorded", async () => {
    const before = world.audit.events.length;
    const { userId, keyId } = owner;
    await expect(world.call(owner, removeUser, { userId })).rejects.toMatchObject(lastOwner);
    await expect(world.call(owner, revokeDevice, { keyId })).rejects.toMatchObject(lastOwner);
    await expect(world.call(owner, signOut, {})).rejects.toMatchObject(lastOwner);
    expect(await works(owner)).toBe(true);
    expect(world.audit.events).toHaveLength(before);
  });

  test("may give up a device while another one works", async () => {
    const second = await addDevice(world, owner);
    await world.call(second, signOut, {});
    await expect(world.call(owner, signOut, {})).rejects.toMatchObject(lastOwner);
    const third = await addDevice(world, owner);
    const keyId = owner.keyId;
    await expect(world.call(third, revokeDevice, { keyId })).rejects.toMatchObject(lastOwner);
    expect([await works(owner), await works(third)]).toEqual([true, true]);
    await world.call(third, revokeDevice, { keyId, keepDescendants: true });
    await expect(world.call(third, signOut, {})).rejects.toMatchObject(lastOwner);
    expect(await works(third)).toBe(true);
  });

  test("is not counted on by a key that was renewed: that one ends in minutes", async () => {
    const next = newKey();
    const { keyId } = await world.call(owner, renewDevice, renewRequest(owner, next));
    await expect(world.call({ ...next, keyId }, signOut, {})).rejects.toMatchObject(lastOwner);
    await expect(world.call(owner, signOut, {})).rejects.toMatchObject(lastOwner);
    await expect(world.call(owner, revokeDevice, { keyId })).rejects.toMatchObject(lastOwner);
    const other = await addUser(world, Role.OWNER, owner);
    await world.database.query("update user_keys set revoked_at = now() where key_id = $1", [
      keyId,
    ]);
    expect(await works(owner)).toBe(true);
    await expect(world.call(other, signOut, {})).rejects.toMatchObject(lastOwner);
  });

  test("is not somebody who was invited and never came, whose key is past its time, or of another role", async () => {
    const old = await addUser(world, Role.OWNER, owner);
    world.clock.nowMs += deviceKeyLifetimeMs - 60_000;
    const next = newKey();
    const { keyId } = await world.call(owner, renewDevice, renewRequest(owner, next));
    const renewed = { ...owner, ...next, keyId };
    world.clock.nowMs += 60_000;
    expect(await works(old)).toBe(false);
    await makeLoginCode(world, Role.OWNER, renewed);
    await addUser(world, Role.ADMIN, renewed);
    await expect(world.call(renewed, signOut, {})).rejects.toMatchObject(lastOwner);
    world.clock.nowMs -= deviceKeyLifetimeMs;
  });

  test("may go once there is another one", async () => {
    const heir = await addUser(world, Role.OWNER, owner);
    await world.call(heir, removeUser, { userId: owner.userId });
    expect(await works(owner)).toBe(false);
    await expect(world.call(heir, signOut, {})).rejects.toMatchObject(lastOwner);
  });

  test("is no matter for people of other roles", async () => {
    const admin = await addUser(world, Role.ADMIN, owner);
    await world.call(admin, signOut, {});
    const auditor = await addUser(world, Role.AUDITOR, owner);
    await world.call(owner, removeUser, { userId: auditor.userId });
    expect(await works(owner)).toBe(true);
  });
});

describe("at the same moment", () => {
  test("two owners who remove each other leave one", async () => {
    for (let round = 0; round < 8; round += 1) {
      const first = await addVault(world);
      const second = await addUser(world, Role.OWNER, first);
      // Both have signed, and have their credentials, before one is removed.
      const requests = [
        await world.evidence(first, removeUser, { userId: second.userId }),
        await world.evidence(second, removeUser, { userId: first.userId }),
      ];
      const results = await Promise.allSettled(
        requests.map((request) => world.send(removeUser, request)),
      );
      expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      for (const result of results)
        if (result.status === "rejected")
          expect(result.reason).toMatchObject({ reason: Reason.MACHINE_DISABLED });
      expect(await actingOwners(first.vaultId)).toBe(1);
    }
  });

  test("two owners who sign out leave one", async () => {
    for (let round = 0; round < 8; round += 1) {
      const first = await addVault(world);
      const second = await addUser(world, Role.OWNER, first);
      const results = await Promise.allSettled([
        world.call(first, signOut, {}),
        world.call(second, signOut, {}),
      ]);
      expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      expect(await actingOwners(first.vaultId)).toBe(1);
    }
  });

  test("many owners who sign out, remove and revoke each other leave one at least", async () => {
    for (let round = 0; round < 4; round += 1) {
      const first = await addVault(world);
      const others = await Promise.all([1, 2, 3].map(() => addUser(world, Role.OWNER, first)));
      const everyone = [first, ...others];
      await Promise.allSettled(
        everyone.flatMap((user, at) => {
          const target = everyone[(at + 1) % everyone.length] ?? user;
          return [
            world.call(user, signOut, {}),
            world.call(user, removeUser, { userId: target.userId }),
            world.call(user, revokeDevice, { keyId: target.keyId }),
          ];
        }),
      );
      expect(await actingOwners(first.vaultId)).toBeGreaterThanOrEqual(1);
    }
  });
});
