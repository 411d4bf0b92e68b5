import { durationFromMs, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Outcome } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deviceKeyLifetimeMs } from "../devices/device-key.ts";
import {
  type TestCode,
  addDevice,
  addUser,
  makeDeviceCode,
  makeLoginCode,
  newName,
  redeem,
} from "../testing/people.ts";
import { keySha256, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { createDeviceCode, createLoginCode, listLoginCodes, removeUser, revokeLoginCode, whoAmI } =
  UserService.method;
const { OWNER, ADMIN, DEVELOPER, AUDITOR } = Role;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

async function codeOf({ codeId }: TestCode) {
  const { loginCodes } = await world.call(world.owner, listLoginCodes, { pageSize: 200 });
  return loginCodes.find((code) => code.codeId === codeId);
}

describe("CreateLoginCode", () => {
  test.each([OWNER, ADMIN, DEVELOPER, AUDITOR])(
    "makes a code that lets one user in as %s",
    async (role) => {
      const code = await makeLoginCode(world, role);
      const name = newName();
      const answer = await redeem(world, code, newKey(), name);
      expect(answer).toMatchObject({ role, userName: name, vaultId: world.vaultId });
      await expect(redeem(world, code, newKey())).rejects.toMatchObject({
        reason: Reason.TOKEN_EXHAUSTED,
      });
      expect(world.audit.recordsOf("login_code.created", code.codeId)).toMatchObject([
        { actorId: world.ownerId, vaultId: world.vaultId, outcome: Outcome.ALLOWED },
      ]);
      expect(await codeOf(code)).toMatchObject({
        role,
        userId: "",
        createdBy: world.ownerId,
        createdByName: "ada",
        redeemedBy: answer.keyId,
        redeemedAt: timestampFromMs(world.clock.nowMs),
      });
    },
  );

  test("takes a code key once, and lifetimes from a minute to seven days", async () => {
    const key = newKey();
    const request = {
      codeKeySha256: keySha256(key),
      role: AUDITOR,
      lifetime: durationFromMs(60_000),
    };
    await world.call(world.owner, createLoginCode, request);
    await expect(world.call(world.owner, createLoginCode, request)).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "code_key_sha256" },
    });
    const fresh = () => ({ ...request, codeKeySha256: keySha256(newKey()) });
    const { loginCode } = await world.call(world.owner, createLoginCode, {
      ...fresh(),
      lifetime: durationFromMs(7 * 86_400_000),
    });
    expect(loginCode?.expiresAt && timestampMs(loginCode.expiresAt)).toBe(
      world.clock.nowMs + 7 * 86_400_000,
    );
    for (const wrong of [
      { lifetime: durationFromMs(59_999) },
      { lifetime: durationFromMs(7 * 86_400_000 + 1) },
      { role: Role.UNSPECIFIED },
      { codeKeySha256: new Uint8Array(31) },
    ])
      await expect(
        world.call(world.owner, createLoginCode, { ...fresh(), ...wrong }),
      ).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
      });
  });

  test("a code ends with its lifetime", async () => {
    const code = await makeLoginCode(world, AUDITOR);
    world.clock.nowMs += 60_000;
    await expect(redeem(world, code, newKey())).rejects.toMatchObject({
      reason: Reason.TOKEN_EXPIRED,
    });
    expect(world.audit.recordsOf("login_code.refused", code.codeId)).toMatchObject([
      { reason: "TOKEN_EXPIRED", detail: { step: "expired" } },
    ]);
  });
});

describe("the names of users", () => {
  test("are unique in the vault in any case, and free again once their user is removed", async () => {
    const name = newName();
    const [first, second] = [
      await makeLoginCode(world, AUDITOR),
      await makeLoginCode(world, AUDITOR),
    ];
    const { userId } = await redeem(world, first, newKey(), name);
    const taken = { reason: Reason.ALREADY_EXISTS, metadata: { field: "user_name" } };
    await expect(redeem(world, second, newKey(), name)).rejects.toMatchObject(taken);
    await expect(redeem(world, second, newKey(), name.toUpperCase())).rejects.toMatchObject(taken);
    expect(world.audit.recordsOf("login_code.refused", second.codeId)).toHaveLength(2);
    expect((await codeOf(second))?.redeemedBy).toBe("");
    await world.call(world.owner, removeUser, { userId });
    expect((await redeem(world, second, newKey(), name)).userName).toBe(name);
  });

  test("are given to one of many who ask at once", async () => {
    const codes = await Promise.all(Array.from({ length: 6 }, () => makeLoginCode(world, AUDITOR)));
    const name = newName();
    const results = await Promise.allSettled(
      codes.map((code) => redeem(world, code, newKey(), name)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results)
      if (result.status === "rejected")
        expect(result.reason).toMatchObject({ reason: Reason.ALREADY_EXISTS });
  });

  test("are required of new users", async () => {
    const code = await makeLoginCode(world, AUDITOR);
    await expect(redeem(world, code, newKey(), "")).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "user_name" },
    });
    await redeem(world, code, newKey());
  });
});

describe("CreateDeviceCode", () => {
  test("makes a code that adds a device to its maker, of whatever role, and to nobody else", async () => {
    for (const role of [OWNER, ADMIN, DEVELOPER, AUDITOR]) {
      const user = await addUser(world, role);
      const code = await makeDeviceCode(world, user);
      const device = newKey();
      const answer = await redeem(world, code, device, "");
      expect(answer).toMatchObject({ userId: user.userId, role, userName: user.name });
      expect(answer.keyId).not.toBe(user.keyId);
      const { principalId, name } = await world.call(
        { ...device, keyId: answer.keyId },
        whoAmI,
        {},
      );
      expect([principalId, name]).toEqual([user.userId, user.name]);
      expect(world.audit.recordsOf("device.added", user.userId)).toMatchObject([
        { actorId: user.userId, detail: { key_id: answer.keyId, login_code_id: code.codeId } },
      ]);
      expect(world.audit.recordsOf("login_code.created", code.codeId)).toMatchObject([
        { actorId: user.userId, detail: { user_id: user.userId } },
      ]);
      expect((await redeem(world, code, device, user.name)).keyId).toBe(answer.keyId);
      await expect(redeem(world, code, newKey(), "")).rejects.toMatchObject({
        reason: Reason.TOKEN_EXHAUSTED,
      });
      expect(await codeOf(code)).toMatchObject({ userId: user.userId, role });
    }
  });

  test("with the name of somebody else lets nobody in", async () => {
    const user = await addUser(world, DEVELOPER);
    const code = await makeDeviceCode(world, user);
    await expect(redeem(world, code, newKey(), "ada")).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "user_name" },
    });
    expect((await codeOf(code))?.redeemedBy).toBe("");
  });

  test("takes lifetimes up to an hour", async () => {
    const user = await addUser(world, DEVELOPER);
    const make = (lifetimeMs: number) =>
      world.call(user, createDeviceCode, {
        codeKeySha256: keySha256(newKey()),
        lifetime: durationFromMs(lifetimeMs),
      });
    await make(3_600_000);
    for (const wrong of [59_999, 3_600_001])
      await expect(make(wrong)).rejects.toMatchObject({ reason: Reason.FIELD_INVALID });
  });

  test("a device key works for 90 days and not longer", async () => {
    const user = await addUser(world, DEVELOPER);
    const device = await addDevice(world, user);
    const before = world.clock.nowMs;
    world.clock.nowMs = before + deviceKeyLifetimeMs - 1;
    expect((await world.resolve(device.keyId)).credential).toBeDefined();
    world.clock.nowMs = before + deviceKeyLifetimeMs;
    expect((await world.resolve(device.keyId)).refusal).toBe(Reason.MACHINE_EXPIRED);
    world.clock.nowMs = before;
  });
});

describe("RevokeLoginCode", () => {
  test("ends a code, once, and records it; whoever is in stays", async () => {
    const code = await makeLoginCode(world, AUDITOR);
    const { codeId } = code;
    const { loginCode } = await world.call(world.owner, revokeLoginCode, { codeId });
    expect(loginCode?.revokedAt).toBeDefined();
    expect((await world.call(world.owner, revokeLoginCode, { codeId })).loginCode).toEqual(
      loginCode,
    );
    expect(world.audit.recordsOf("login_code.revoked", codeId)).toMatchObject([
      { actorId: world.ownerId },
    ]);
    await expect(redeem(world, code, newKey())).rejects.toMatchObject({
      reason: Reason.TOKEN_REVOKED,
    });
    const spent = await makeLoginCode(world, AUDITOR);
    await redeem(world, spent, newKey());
    await expect(
      world.call(world.owner, revokeLoginCode, { codeId: spent.codeId }),
    ).rejects.toMatchObject({
      reason: Reason.TOKEN_EXHAUSTED,
    });
    await expect(
      world.call(world.owner, revokeLoginCode, { codeId: newId("tok") }),
    ).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test("and a redemption at the same moment: one of them wins, never both", async () => {
    for (let round = 0; round < 10; round += 1) {
      const code = await makeLoginCode(world, AUDITOR);
      const [redeemed, revoked] = await Promise.allSettled([
        redeem(world, code, newKey()),
        world.call(world.owner, revokeLoginCode, { codeId: code.codeId }),
      ]);
      expect([redeemed.status, revoked.status].toSorted()).toEqual(["fulfilled", "rejected"]);
    }
  });
});

test("ListLoginCodes pages through every code once, newest first", async () => {
  const made: string[] = [];
  for (let at = 0; at < 3; at += 1) {
    world.clock.nowMs += 1;
    made.unshift((await makeLoginCode(world, AUDITOR)).codeId);
  }
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await world.call(world.owner, listLoginCodes, { pageSize: 2, pageToken });
    listed.push(...page.loginCodes.map(({ codeId }) => codeId));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(listed.slice(0, 3)).toEqual(made);
  expect(new Set(listed).size).toBe(listed.length);
  const wrong = { pageToken: "x" };
  await expect(world.call(world.owner, listLoginCodes, wrong)).rejects.toMatchObject({
    reason: Reason.FIELD_INVALID,
  });
});
