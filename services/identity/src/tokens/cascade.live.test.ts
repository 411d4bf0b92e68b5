import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import {
  MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type TestToken, addMachines, enrollKey, makeToken } from "../testing/fleet.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { getToken, revokeToken } = EnrollmentService.method;
const { disableMachine, getMachine } = MachineService.method;
const away = { reason: Reason.DEPENDENCY_UNAVAILABLE };

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
  world.policy.beforeApply = () => Promise.resolve();
});

function cascade({ tokenId }: TestToken, reason = "leaked") {
  return world.call(world.owner, revokeToken, { tokenId, reason, cascade: true });
}

async function stateOf(machineId: string) {
  return (await world.call(world.owner, getMachine, { machineId })).machine?.state;
}

function revocationsOf(machineIds: readonly string[]) {
  return world.audit.events.filter(
    ({ action, machineId }) => action === "machine.revoked" && machineIds.includes(machineId),
  );
}

describe("RevokeToken with cascade", () => {
  test("ends the token's machines, running and disabled, and nobody else's; each is a record", async () => {
    const [token, other] = [await makeToken(world, { maxUses: 9 }), await makeToken(world)];
    const enrolled = [
      await enrollKey(world, token, newKey()),
      await enrollKey(world, token, newKey()),
    ];
    const [running = "", disabled = ""] = enrolled.map(({ machineId }) => machineId);
    await world.call(world.owner, disableMachine, { machineId: disabled });
    const { machineId: spared } = await enrollKey(world, other, newKey());
    const [expired = ""] = await addMachines(world, token, 1, 1);
    world.clock.nowMs += 1;
    const answer = await cascade(token);
    expect(answer).toMatchObject({ machinesRevoked: 2, machinesRemaining: 0 });
    expect(answer.token?.revokedAt).toBeDefined();
    for (const machineId of [running, disabled]) {
      expect(await stateOf(machineId)).toBe(MachineState.REVOKED);
      expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.REVOKED);
      expect((await world.resolve(machineId)).refusal).toBe(Reason.MACHINE_DISABLED);
    }
    expect(await stateOf(spared)).toBe(MachineState.ACTIVE);
    expect(await stateOf(expired)).toBe(MachineState.EXPIRED);
    const records = revocationsOf([running, disabled, spared, expired]);
    expect(records.map(({ machineId }) => machineId).toSorted()).toEqual(
      [running, disabled].toSorted(),
    );
    for (const record of records)
      expect(record).toMatchObject({
        subjectId: token.tokenId,
        vaultId: world.vaultId,
        actorId: world.owner.keyId.split(".")[0],
        detail: { revoke_reason: "leaked" },
      });
  });

  test("tells policy first: while it is away the token is revoked and the machines wait for the next call", async () => {
    const token = await makeToken(world, { maxUses: 2 });
    const { machineId } = await enrollKey(world, token, newKey());
    world.policy.away = "revokePrincipals";
    await expect(cascade(token)).rejects.toMatchObject(away);
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
    expect(revocationsOf([machineId])).toEqual([]);
    const { token: stored } = await world.call(world.owner, getToken, { tokenId: token.tokenId });
    expect(stored?.revokedAt).toBeDefined();
    await expect(enrollKey(world, token, newKey())).rejects.toMatchObject({
      reason: Reason.TOKEN_REVOKED,
    });
    world.policy.away = "";
    expect(await cascade(token)).toMatchObject({ machinesRevoked: 1, machinesRemaining: 0 });
  });

  test("ends at most 500 machines a call; the next one goes on, also on a token that was revoked without", async () => {
    const token = await makeToken(world);
    const machineIds = await addMachines(world, token, 501);
    const { tokenId } = token;
    const plain = await world.call(world.owner, revokeToken, { tokenId, reason: "first" });
    expect(plain).toMatchObject({ machinesRevoked: 0, machinesRemaining: 0 });
    expect(await cascade(token)).toMatchObject({ machinesRevoked: 500, machinesRemaining: 1 });
    expect(await cascade(token)).toMatchObject({ machinesRevoked: 1, machinesRemaining: 0 });
    const last = await cascade(token);
    expect(last).toMatchObject({ machinesRevoked: 0, machinesRemaining: 0 });
    expect(last.token?.revokeReason).toBe("first");
    expect(revocationsOf(machineIds)).toHaveLength(501);
    const statuses = machineIds.map((machineId) => world.policy.principals.get(machineId));
    expect(new Set(statuses)).toEqual(new Set([PrincipalStatus.REVOKED]));
  });

  test("ends a machine that is being enrolled, here and in policy", async () => {
    const token = await makeToken(world);
    world.policy.beforeApply = async () => {
      expect(await cascade(token)).toMatchObject({ machinesRevoked: 1, machinesRemaining: 0 });
    };
    const machine = newKey();
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
      reason: Reason.MACHINE_DISABLED,
    });
    const [row] = await world.database.query<{ machine_id: string; state: string }>(
      "select machine_id, state from machines where token_id = $1",
      [token.tokenId],
    );
    expect(row?.state).toBe("revoked");
    expect(world.policy.principals.get(row?.machine_id ?? "")).toBe(PrincipalStatus.REVOKED);
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
      reason: Reason.TOKEN_REVOKED,
    });
  });

  test("misses no machine of enrollments that run at the same time", async () => {
    const token = await makeToken(world, { maxUses: 60 });
    const enrolling = Array.from({ length: 60 }, () =>
      enrollKey(world, token, newKey()).catch(() => undefined),
    );
    await enrolling[5];
    const revoked = cascade(token);
    await Promise.all([...enrolling, revoked]);
    const { machinesRemaining } = await cascade(token);
    expect(machinesRemaining).toBe(0);
    const alive = await world.database.query(
      "select machine_id from machines where token_id = $1 and state <> 'revoked'",
      [token.tokenId],
    );
    expect(alive).toEqual([]);
    const rows = await world.database.query<{ machine_id: string }>(
      "select machine_id from machines where token_id = $1",
      [token.tokenId],
    );
    for (const { machine_id: machineId } of rows)
      expect([undefined, PrincipalStatus.REVOKED]).toContain(
        world.policy.principals.get(machineId),
      );
  });

  test("is heard on the revocation streams", async () => {
    const token = await makeToken(world);
    const { machineId } = await enrollKey(world, token, newKey());
    const stop = new AbortController();
    const heard = Promise.withResolvers<readonly string[]>();
    const open = Promise.withResolvers<void>();
    const stream = (async () => {
      for await (const { principalIds } of world.keys.watchRevocations(
        {},
        { signal: stop.signal },
      )) {
        open.resolve();
        if (principalIds.includes(machineId)) heard.resolve(principalIds);
      }
    })().catch(() => undefined);
    await open.promise;
    await cascade(token);
    const answeredMs = performance.now();
    expect(await heard.promise).toContain(machineId);
    const pushedMs = performance.now() - answeredMs;
    console.log(`a revocation was pushed ${pushedMs.toFixed(0)} ms after its answer`);
    stop.abort();
    await stream;
  });
});

test("a token of another id is NOT_FOUND, and nothing ends", async () => {
  const token = await makeToken(world);
  const { machineId } = await enrollKey(world, token, newKey());
  const unknown = { ...token, tokenId: `tok_${"0".repeat(20)}` };
  await expect(cascade(unknown)).rejects.toMatchObject({ reason: Reason.NOT_FOUND });
  expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
});
