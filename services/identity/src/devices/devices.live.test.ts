import { timestampMs } from "@bufbuild/protobuf/wkt";
import { signEd25519 } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { loginStatement, renewalStatement } from "@sallyport/proto/signing";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deviceKeyLifetimeMs, renewedKeyMs } from "./device-key.ts";
import { makeMachine } from "../testing/fleet.ts";
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

const { getUser, renewDevice, revokeDevice, signOut, whoAmI } = UserService.method;
const ended = { reason: Reason.MACHINE_DISABLED };

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
});

async function renew(user: TestUser, next: TestKey = newKey()): Promise<TestUser> {
  const { keyId } = await world.call(user, renewDevice, renewRequest(user, next));
  return { ...user, ...next, keyId };
}

async function refusalOf({ keyId }: TestKey): Promise<Reason> {
  const { credential, refusal } = await world.resolve(keyId);
  return credential ? Reason.UNSPECIFIED : refusal;
}

function recordsOf(action: string, { userId }: TestUser) {
  return world.audit.recordsOf(action, userId);
}

describe("RenewDevice", () => {
  test("puts a new key for 90 days in the place of the old one, which ends 5 minutes later", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    world.clock.nowMs += 86_400_000;
    const { nowMs } = world.clock;
    const next = newKey();
    const answer = await world.call(user, renewDevice, renewRequest(user, next));
    expect(answer.keyId).toMatch(new RegExp(`^${user.userId}\\.`));
    expect(answer.keyExpiresAt && timestampMs(answer.keyExpiresAt)).toBe(
      nowMs + deviceKeyLifetimeMs,
    );
    expect(answer.oldKeyEndsAt && timestampMs(answer.oldKeyEndsAt)).toBe(nowMs + renewedKeyMs);
    const renewed = { ...next, keyId: answer.keyId };
    expect((await world.call(renewed, whoAmI, {})).name).toBe(user.name);
    world.clock.nowMs += renewedKeyMs - 1;
    expect(await refusalOf(user)).toBe(Reason.UNSPECIFIED);
    const { user: told } = await world.call(world.owner, getUser, { userId: user.userId });
    expect(told?.devices.map(({ keyId }) => keyId)).toEqual([renewed.keyId, user.keyId]);
    expect(told?.devices[1]?.expiresAt && timestampMs(told.devices[1].expiresAt)).toBe(
      nowMs + renewedKeyMs,
    );
    world.clock.nowMs += 1;
    expect(await refusalOf(user)).toBe(Reason.MACHINE_EXPIRED);
    expect(await refusalOf(renewed)).toBe(Reason.UNSPECIFIED);
    expect(recordsOf("device.renewed", user)).toMatchObject([
      {
        actorId: user.userId,
        vaultId: world.vaultId,
        detail: { key_id: renewed.keyId, former_key_id: user.keyId },
      },
    ]);
  });

  test("a credential of the old key does not outlive its minutes, nor its own end", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    await renew(user);
    world.clock.nowMs += renewedKeyMs - 10_000;
    const { credential } = await world.resolve(user.keyId);
    expect(credential).toBeDefined();
    world.clock.nowMs += 10_000;
    expect(await refusalOf(user)).toBe(Reason.MACHINE_EXPIRED);
    const late = await addUser(world, Role.DEVELOPER);
    world.clock.nowMs += deviceKeyLifetimeMs - 1000;
    const next = newKey();
    const answer = await world.call(late, renewDevice, renewRequest(late, next));
    expect(answer.oldKeyEndsAt && timestampMs(answer.oldKeyEndsAt)).toBe(world.clock.nowMs + 1000);
    world.clock.nowMs -= deviceKeyLifetimeMs;
  });

  test("repeated with the same new key gives the same answer and one record", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    const next = newKey();
    const first = await world.call(user, renewDevice, renewRequest(user, next));
    world.clock.nowMs += 60_000;
    expect(await world.call(user, renewDevice, renewRequest(user, next))).toEqual(first);
    expect(recordsOf("device.renewed", user)).toHaveLength(1);
  });

  test("with another new key replaces the one before: its answer may have been lost", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    const lost = await renew(user);
    world.clock.nowMs += 60_000;
    const kept = await renew(user);
    expect(await refusalOf(lost)).toBe(Reason.MACHINE_DISABLED);
    expect(await refusalOf(kept)).toBe(Reason.UNSPECIFIED);
    world.clock.nowMs += renewedKeyMs - 60_000;
    expect(await refusalOf(user)).toBe(Reason.MACHINE_EXPIRED);
    const again = await renew(kept);
    expect(await refusalOf(again)).toBe(Reason.UNSPECIFIED);
  });

  test.each<
    [string, (user: TestUser, next: TestKey) => { newPublicKey: Uint8Array; proof: Uint8Array }]
  >([
    [
      "the old key signs in place of the new one",
      (user, next) => ({
        newPublicKey: next.publicKey,
        proof: signEd25519(
          user.seed,
          renewalStatement(user.vaultId, user.publicKey, next.publicKey),
        ),
      }),
    ],
    [
      "the statement names another old key",
      (user, next) => ({
        newPublicKey: next.publicKey,
        proof: signEd25519(
          next.seed,
          renewalStatement(user.vaultId, next.publicKey, next.publicKey),
        ),
      }),
    ],
    [
      "the statement names another vault",
      (user, next) => ({
        newPublicKey: next.publicKey,
        proof: signEd25519(
          next.seed,
          renewalStatement(newId("vlt"), user.publicKey, next.publicKey),
        ),
      }),
    ],
    [
      "the statement is one to log in",
      (user, next) => ({
        newPublicKey: next.publicKey,
        proof: signEd25519(next.seed, loginStatement(user.vaultId, user.publicKey, next.publicKey)),
      }),
    ],
    [
      "somebody else's key is named",
      (user, next) => ({ ...renewRequest(user, next), newPublicKey: newKey().publicKey }),
    ],
  ])("is refused when %s, and changes nothing", async (_, wrong) => {
    const user = await addUser(world, Role.DEVELOPER);
    await expect(world.call(user, renewDevice, wrong(user, newKey()))).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
    world.clock.nowMs += renewedKeyMs;
    expect(await refusalOf(user)).toBe(Reason.UNSPECIFIED);
    expect(recordsOf("device.renewed", user)).toEqual([]);
  });

  test("takes no key that belongs to somebody, the device itself included", async () => {
    const [user, other] = [
      await addUser(world, Role.DEVELOPER),
      await addUser(world, Role.DEVELOPER),
    ];
    const taken = { reason: Reason.ALREADY_EXISTS, metadata: { field: "new_public_key" } };
    for (const next of [other, user])
      await expect(world.call(user, renewDevice, renewRequest(user, next))).rejects.toMatchObject(
        taken,
      );
    const renewed = await renew(user);
    // Back to where it came from would give the old key a new life.
    await expect(
      world.call(renewed, renewDevice, renewRequest(renewed, user)),
    ).rejects.toMatchObject(taken);
  });

  test("and a revocation of the key at the same moment leave no key behind", async () => {
    for (let round = 0; round < 8; round += 1) {
      const user = await addUser(world, Role.DEVELOPER);
      const next = newKey();
      await Promise.allSettled([
        world.call(user, renewDevice, renewRequest(user, next)),
        world.call(world.owner, revokeDevice, { keyId: user.keyId }),
      ]);
      const { user: told } = await world.call(world.owner, getUser, { userId: user.userId });
      expect(told?.devices).toEqual([]);
    }
  });
});

describe("RevokeDevice", () => {
  test("ends one device and no other, is pushed and recorded once", async () => {
    const user = await addUser(world, Role.ADMIN);
    const lost = await addDevice(world, user);
    const request = { keyId: lost.keyId, reason: "lost" };
    const { user: told } = await world.call(world.owner, revokeDevice, request);
    expect(told?.devices.map(({ keyId }) => keyId)).toEqual([user.keyId]);
    expect(await refusalOf(lost)).toBe(Reason.MACHINE_DISABLED);
    expect(await refusalOf(user)).toBe(Reason.UNSPECIFIED);
    await world.call(world.owner, revokeDevice, request);
    expect(recordsOf("device.revoked", user)).toMatchObject([
      {
        actorId: world.owner.keyId.split(".")[0],
        detail: { key_id: lost.keyId, revoke_reason: "lost" },
      },
    ]);
    const changes = await world.database.query(
      "select 1 from key_changes where principal_id = $1",
      [user.userId],
    );
    expect(changes).toHaveLength(1);
  });

  test("ends what the key was renewed to and from: a thief may have renewed it", async () => {
    for (const revoked of ["old", "new"] as const) {
      const user = await addUser(world, Role.ADMIN);
      const renewed = await renew(user);
      const { keyId } = revoked === "old" ? user : renewed;
      await world.call(world.owner, revokeDevice, { keyId });
      expect(await refusalOf(user)).toBe(Reason.MACHINE_DISABLED);
      expect(await refusalOf(renewed)).toBe(Reason.MACHINE_DISABLED);
      await expect(renew(renewed)).rejects.toBeDefined();
    }
  });

  test("ends the codes that the user made, and no other's: a thief may have made one for a device of his own", async () => {
    const user = await addUser(world, Role.OWNER);
    const lost = await addDevice(world, user);
    const codes = [await makeDeviceCode(world, lost), await makeLoginCode(world, Role.ADMIN, lost)];
    const others = await makeLoginCode(world, Role.ADMIN);
    await world.call(world.owner, revokeDevice, { keyId: lost.keyId });
    for (const code of codes) {
      const name = code === codes[0] ? "" : undefined;
      await expect(redeem(world, code, newKey(), name)).rejects.toMatchObject({
        reason: Reason.TOKEN_REVOKED,
      });
      const records = world.audit.events.filter(({ subjectId }) => subjectId === code.codeId);
      expect(records.map(({ action }) => action)).toContain("login_code.revoked");
    }
    expect((await redeem(world, others, newKey())).keyId).not.toBe("");
    const later = await addDevice(world, user);
    expect(await refusalOf(later)).toBe(Reason.UNSPECIFIED);
  });

  test("an unknown key is NOT_FOUND", async () => {
    const keyId = `${newId("usr")}.${"0".repeat(20)}`;
    await expect(world.call(world.owner, revokeDevice, { keyId })).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test("a device that was revoked renews nothing, whatever credential it has left", async () => {
    const user = await addUser(world, Role.ADMIN);
    const request = await world.evidence(user, renewDevice, renewRequest(user, newKey()));
    await world.call(world.owner, revokeDevice, { keyId: user.keyId });
    await expect(world.send(renewDevice, request)).rejects.toMatchObject(ended);
  });
});

describe("SignOut", () => {
  test("ends the device that signs and no other", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    const other = await addDevice(world, user);
    await world.call(other, signOut, {});
    expect(await refusalOf(other)).toBe(Reason.MACHINE_DISABLED);
    expect(await refusalOf(user)).toBe(Reason.UNSPECIFIED);
    await world.call(user, signOut, {});
    expect(await refusalOf(user)).toBe(Reason.MACHINE_DISABLED);
    expect(recordsOf("device.revoked", user)).toMatchObject([
      { actorId: user.userId, detail: { key_id: other.keyId, revoke_reason: "signed out" } },
      { actorId: user.userId, detail: { key_id: user.keyId } },
    ]);
  });

  test("of a renewed device ends the old key too", async () => {
    const user = await addUser(world, Role.DEVELOPER);
    const renewed = await renew(user);
    await world.call(renewed, signOut, {});
    expect(await refusalOf(user)).toBe(Reason.MACHINE_DISABLED);
  });

  test("of a machine revokes it, in policy first", async () => {
    const machine = await makeMachine(world);
    world.policy.away = "setPrincipalStatus";
    await expect(world.call(machine, signOut, {})).rejects.toMatchObject({
      reason: Reason.DEPENDENCY_UNAVAILABLE,
    });
    expect(await refusalOf(machine)).toBe(Reason.UNSPECIFIED);
    world.policy.away = "";
    await world.call(machine, signOut, {});
    const { machine: told } = await world.call(world.owner, MachineService.method.getMachine, {
      machineId: machine.keyId,
    });
    expect(told?.state).toBe(MachineState.REVOKED);
    expect(world.policy.principals.get(machine.keyId)).toBe(PrincipalStatus.REVOKED);
    expect(await refusalOf(machine)).toBe(Reason.MACHINE_DISABLED);
    const record = world.audit.events.find(
      ({ action, machineId }) => action === "machine.revoked" && machineId === machine.keyId,
    );
    expect(record).toMatchObject({
      actorId: machine.keyId,
      detail: { revoke_reason: "signed out" },
    });
  });
});
