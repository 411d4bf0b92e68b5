import { createClient } from "@connectrpc/connect";
import { openCredential } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import {
  PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, expect, test } from "vitest";
import { enrollKey, makeToken } from "../testing/fleet.ts";
import { type TestKey, newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";
import { sweepExpired } from "./sweep.ts";

const { disableMachine, enableMachine, getMachine, listMachines, revokeMachine } =
  MachineService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});

/** An active machine that another admission than a token made, as the serving role stores it. */
async function addMachine(lifetimeMs = 3_600_000): Promise<TestKey> {
  const machineId = newId("mch");
  const key = newKey();
  const nowMs = world.clock.nowMs;
  const times = [new Date(nowMs), new Date(nowMs + lifetimeMs)];
  await world.database.query(
    `insert into machines (machine_id, vault_id, token_id, public_key, name, hostname, state,
       created_at, expires_at, activated_at)
     values ($1, $2, null, $3, 'ci', 'ci', 'active', $4, $5, $4)`,
    [machineId, world.vaultId, key.publicKey, ...times],
  );
  world.policy.principals.set(machineId, PrincipalStatus.ACTIVE);
  return { ...key, keyId: machineId };
}

test("is shown and listed without a token, and no token's listing has it", async () => {
  const { keyId: machineId } = await addMachine();
  const { machine } = await world.call(world.owner, getMachine, { machineId });
  expect(machine).toMatchObject({ machineId, tokenId: "", name: "ci" });
  const all = await world.call(world.owner, listMachines, {});
  expect(all.machines.map((one) => one.machineId)).toContain(machineId);
  const { tokenId } = await makeToken(world);
  const ofToken = await world.call(world.owner, listMachines, { tokenId });
  expect(ofToken.machines).toEqual([]);
});

test("gets credentials, whose records are counted by the machine alone", async () => {
  const { keyId: machineId } = await addMachine();
  const { credential } = await world.resolve(machineId);
  if (!credential) throw new Error("there is no credential");
  const claims = openCredential(credential, world.trust.trust, world.clock.nowMs);
  expect(claims).toMatchObject({ principalId: machineId, originId: "" });
});

test("is disabled, enabled and revoked as any other", async () => {
  const { keyId: machineId } = await addMachine();
  await world.call(world.owner, disableMachine, { machineId });
  expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.DISABLED);
  await world.call(world.owner, enableMachine, { machineId });
  await world.call(world.owner, revokeMachine, { machineId });
  expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.REVOKED);
});

test("its key is refused to every token, and outlives the end of any of them", async () => {
  const key = await addMachine();
  const token = await makeToken(world);
  await expect(enrollKey(world, token, newKeyed(key))).rejects.toMatchObject({
    reason: Reason.REQUEST_REJECTED,
  });
  await world.call(world.owner, EnrollmentService.method.revokeToken, {
    tokenId: token.tokenId,
    cascade: true,
  });
  expect(world.policy.principals.get(key.keyId)).toBe(PrincipalStatus.ACTIVE);
});

test("expires, and the record names no token", async () => {
  const { keyId: machineId } = await addMachine(60_000);
  world.clock.nowMs += 60_000;
  const { database, outbox, policy, clock } = world;
  const scope = createClient(ScopeService, policy.transport);
  await sweepExpired({ database, outbox, policy: scope, clock: () => clock.nowMs });
  expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.EXPIRED);
  const record = world.audit.events.find(
    (event) => event.action === "machine.expired" && event.machineId === machineId,
  );
  expect(record).toMatchObject({ subjectId: "", originId: "" });
});

// The same key, signing as one that is not enrolled yet.
function newKeyed({ seed, publicKey }: TestKey): TestKey {
  return { seed, publicKey, keyId: `key:${Buffer.from(publicKey).toString("base64url")}` };
}
