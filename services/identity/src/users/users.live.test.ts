import type { DescMethodUnary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { Failure } from "@sallyport/rpc";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { enrollKey, makeToken } from "../testing/fleet.ts";
import { addDevice, addUser, makeDeviceCode, makeLoginCode, redeem } from "../testing/people.ts";
import { type TestKey, keySha256, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const {
  createDeviceCode,
  createLoginCode,
  getUser,
  listUsers,
  removeUser,
  revokeDevice,
  revokeLoginCode,
  whoAmI,
} = UserService.method;
const { createToken, getToken } = EnrollmentService.method;
const { OWNER, ADMIN, DEVELOPER, AUDITOR } = Role;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

describe("ListUsers and GetUser", () => {
  test("describe people with the devices that work, and when those were last seen", async () => {
    const user = await addUser(world, ADMIN);
    world.clock.nowMs += 1;
    const second = await addDevice(world, user);
    const { nowMs } = world.clock;
    const seen = {
      keyId: second.keyId,
      seenAt: timestampFromMs(nowMs),
      sourceIp: "192.0.2.4",
      client: "cli/1",
    };
    await world.keys.reportSightings({ sightings: [seen] });
    const { user: told } = await world.call(world.owner, getUser, { userId: user.userId });
    expect(told).toMatchObject({ userId: user.userId, name: user.name, role: ADMIN });
    expect(told?.removedAt).toBeUndefined();
    expect(told?.devices.map(({ keyId }) => keyId)).toEqual([second.keyId, user.keyId]);
    expect(told?.devices[0]).toMatchObject({ lastSourceIp: "192.0.2.4", client: "cli/1" });
    expect(Buffer.from(told?.devices[0]?.publicKey ?? [])).toEqual(Buffer.from(second.publicKey));
    expect(told?.devices[1]?.lastSeenAt).toBeUndefined();
    const { users } = await world.call(world.owner, listUsers, { pageSize: 1 });
    expect(users).toEqual([told]);
  });

  test("list everyone once, without those who were removed; GetUser still knows them", async () => {
    const gone = await addUser(world, AUDITOR);
    const stays = await addUser(world, AUDITOR);
    await world.call(world.owner, removeUser, { userId: gone.userId });
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await world.call(world.owner, listUsers, { pageSize: 3, pageToken });
      listed.push(...page.users.map(({ userId }) => userId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toContain(stays.userId);
    expect(listed).toContain(world.ownerId);
    expect(listed).not.toContain(gone.userId);
    const { user } = await world.call(world.owner, getUser, { userId: gone.userId });
    expect(user?.removedAt).toBeDefined();
    expect(user?.devices).toEqual([]);
    await expect(world.call(world.owner, getUser, { userId: newId("usr") })).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });
});

describe("RemoveUser", () => {
  const removed = { reason: Reason.MACHINE_DISABLED };

  test("ends the user's keys at once, with a push, and what the user made that lets others in", async () => {
    const owner = await addUser(world, OWNER);
    const device = await addDevice(world, owner);
    const token = await makeToken(world, { maxUses: 2 }, owner);
    const { machineId } = await enrollKey(world, token, newKey());
    const invitation = await makeLoginCode(world, DEVELOPER, owner);
    const deviceCode = await makeDeviceCode(world, owner);
    const spent = await makeLoginCode(world, DEVELOPER, owner);
    await redeem(world, spent, newKey());
    const stop = new AbortController();
    const heard = new Set<string>();
    const open = Promise.withResolvers<void>();
    const stream = (async () => {
      for await (const { principalIds } of world.keys.watchRevocations(
        {},
        { signal: stop.signal },
      )) {
        open.resolve();
        for (const id of principalIds) heard.add(id);
      }
    })().catch(() => undefined);
    await open.promise;
    const evidence = await world.evidence(owner, whoAmI, {});
    const answer = await world.call(world.owner, removeUser, {
      userId: owner.userId,
      reason: "left",
    });
    expect(answer).toMatchObject({ tokensRevoked: 1, loginCodesRevoked: 2 });
    expect(answer.user?.removedAt).toBeDefined();
    expect(world.policy.ended).toContain(owner.userId);
    for (const { keyId } of [owner, device])
      expect((await world.resolve(keyId)).refusal).toBe(Reason.MACHINE_DISABLED);
    await expect.poll(() => heard.has(owner.userId), { timeout: 1000 }).toBe(true);
    stop.abort();
    await stream;
    expect((await world.send(whoAmI, evidence)).name).toBe(owner.name); // Only reading, for a minute at most.
    const { tokenId } = token;
    const { token: stored } = await world.call(world.owner, getToken, { tokenId });
    expect(stored).toMatchObject({
      revokeReason: "its maker was removed: left",
      createdByName: owner.name,
    });
    await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({
      reason: Reason.TOKEN_REVOKED,
    });
    for (const code of [invitation, deviceCode])
      await expect(redeem(world, code, newKey(), "")).rejects.toMatchObject({
        reason: Reason.TOKEN_REVOKED,
      });
    expect((await world.resolve(machineId)).credential).toBeDefined();
    expect(world.audit.recordsOf("user.removed", owner.userId)).toMatchObject([
      {
        actorId: world.ownerId,
        vaultId: world.vaultId,
        detail: {
          name: owner.name,
          role: "owner",
          devices: "2",
          tokens: "1",
          login_codes: "2",
          remove_reason: "left",
        },
      },
    ]);
    expect(world.audit.recordsOf("token.revoked", tokenId)).toHaveLength(1);
    for (const { codeId } of [invitation, deviceCode])
      expect(world.audit.recordsOf("login_code.revoked", codeId)).toHaveLength(1);
    expect(world.audit.recordsOf("login_code.revoked", spent.codeId)).toEqual([]);
  });

  test("stops every key of the user, also one that itself was not revoked", async () => {
    const user = await addUser(world, AUDITOR);
    await world.database.query("update users set removed_at = now() where user_id = $1", [
      user.userId,
    ]);
    expect((await world.resolve(user.keyId)).refusal).toBe(Reason.MACHINE_DISABLED);
  });

  test("again changes and records nothing; an unknown user is NOT_FOUND", async () => {
    const user = await addUser(world, AUDITOR);
    const { userId } = user;
    await world.call(world.owner, removeUser, { userId });
    const before = world.audit.events.length;
    const again = await world.call(world.owner, removeUser, { userId });
    expect(again).toMatchObject({ tokensRevoked: 0, loginCodesRevoked: 0 });
    expect(world.audit.events).toHaveLength(before);
    await expect(
      world.call(world.owner, removeUser, { userId: newId("usr") }),
    ).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test("ends the keys though policy is away; a repeat has policy keep the user out", async () => {
    const { userId, keyId } = await addUser(world, DEVELOPER);
    world.policy.away = "endUser";
    const remove = () => world.call(world.owner, removeUser, { userId });
    await expect(remove()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    expect((await world.resolve(keyId)).refusal).toBe(Reason.MACHINE_DISABLED);
    expect(world.policy.ended).not.toContain(userId);
    world.policy.away = "";
    await remove();
    expect(world.policy.ended).toContain(userId);
    expect(world.audit.recordsOf("user.removed", userId)).toHaveLength(1);
  });

  // A hostile gateway may keep a credential for a minute, and send what the removed user signs.
  test("is not outlived: a credential from before makes nothing that lasts", async () => {
    const user = await addUser(world, OWNER);
    const other = await addUser(world, AUDITOR);
    const projectId = newId("prj");
    world.policy.projects.add(projectId);
    const lifetime = durationFromMs(60_000);
    const late = [
      world.evidence(user, createToken, {
        tokenKeySha256: keySha256(newKey()),
        projectIds: [projectId],
        tokenLifetime: lifetime,
        machineLifetime: lifetime,
        maxUses: 1,
      }),
      world.evidence(user, createLoginCode, {
        codeKeySha256: keySha256(newKey()),
        role: OWNER,
        lifetime,
      }),
      world.evidence(user, createDeviceCode, { codeKeySha256: keySha256(newKey()), lifetime }),
      world.evidence(user, removeUser, { userId: other.userId }),
    ];
    const requests = await Promise.all(late);
    await world.call(world.owner, removeUser, { userId: user.userId });
    const methods: DescMethodUnary[] = [createToken, createLoginCode, createDeviceCode, removeUser];
    for (const [at, method] of methods.entries()) {
      const request = requests[at];
      if (!request) throw new Error("no request");
      await expect(world.send(method, request)).rejects.toMatchObject(removed);
    }
  });

  test("and a token made at the same moment: it is revoked with its maker or never made", async () => {
    let [kept, refused] = [0, 0];
    for (let round = 0; round < 8; round += 1) {
      const user = await addUser(world, ADMIN);
      const remove = () => world.call(world.owner, removeUser, { userId: user.userId });
      // One or the other begins first, so that both ends happen.
      const early = round % 2 === 0 ? undefined : remove();
      const made = makeToken(world, {}, user).then(
        () => true,
        (error: unknown) => {
          // Refused by the owner, or left without a credential to be forwarded with.
          if (error instanceof Failure) expect(error).toMatchObject(removed);
          return false;
        },
      );
      if (round % 4 === 0) await made;
      const removal = early ?? remove();
      const [isMade] = await Promise.all([made, removal]);
      const rows = await world.database.query<{ revoked_at: Date | null }>(
        "select revoked_at from enrollment_tokens where created_by = $1",
        [user.userId],
      );
      expect(rows).toHaveLength(isMade ? 1 : 0);
      for (const { revoked_at } of rows) expect(revoked_at).not.toBeNull();
      if (isMade) kept += 1;
      else refused += 1;
    }
    expect(kept).toBeGreaterThan(0);
    console.info(
      `tokens made beside the removal of their maker: ${kept} revoked, ${refused} not made`,
    );
  });
});

test("who may what is the role table's to say: nobody but an owner manages people", async () => {
  const lifetime = durationFromMs(60_000);
  const other = await addUser(world, AUDITOR);
  for (const role of [ADMIN, DEVELOPER, AUDITOR]) {
    const user: TestKey = await addUser(world, role);
    const invitation = { codeKeySha256: keySha256(newKey()), role: AUDITOR, lifetime };
    const forbidden = [
      () => world.call(user, createLoginCode, invitation),
      () => world.call(user, revokeLoginCode, { codeId: newId("tok") }),
      () => world.call(user, removeUser, { userId: other.userId }),
      () => world.call(user, revokeDevice, { keyId: other.keyId }),
    ];
    for (const call of forbidden)
      await expect(call()).rejects.toMatchObject({ reason: Reason.ROLE_REQUIRED });
  }
});
