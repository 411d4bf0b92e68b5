import { createClient } from "@connectrpc/connect";
import { openDatabase } from "@sallyport/postgres";
import { Outcome, ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import {
  PrincipalStatus,
  ScopeService,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { createLogger } from "@sallyport/telemetry";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type SweepParts, startSweeping, sweepExpired } from "./sweep.ts";
import { type TestToken, addMachines, enrollKey, makeToken } from "../testing/fleet.ts";
import { addVault } from "../testing/people.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { disableMachine, enableMachine, getMachine, revokeMachine } = MachineService.method;
const away = { reason: Reason.DEPENDENCY_UNAVAILABLE };

let world: World;
let parts: SweepParts;
let token: TestToken;
beforeEach(async () => {
  world = await startWorld();
  const { database, outbox, policy, clock } = world;
  const scope = createClient(ScopeService, policy.transport);
  parts = { database, outbox, policy: scope, clock: () => clock.nowMs };
  token = await makeToken(world, { maxUses: 100, machineLifetimeMs: 60_000 });
});
afterEach(() => world[Symbol.asyncDispose]());

async function storedStates(): Promise<string[]> {
  const rows = await world.database.query<{ state: string }>("select state from machines");
  return rows.map(({ state }) => state);
}

function expiries() {
  return world.audit.events.filter(({ action }) => action === "machine.expired");
}

describe("a sweep", () => {
  test("ends what is past its time, in policy and here, and records it; nothing else", async () => {
    const [ended = ""] = await addMachines(world, token, 1, 60_000);
    const { machineId: disabled } = await enrollKey(world, token, newKey());
    await world.call(world.owner, disableMachine, { machineId: disabled });
    const { machineId: revoked } = await enrollKey(world, token, newKey());
    await world.call(world.owner, revokeMachine, { machineId: revoked });
    world.clock.nowMs += 59_999;
    expect(await sweepExpired(parts)).toBe(0);
    world.clock.nowMs += 1;
    const { machineId: living } = await enrollKey(world, token, newKey());
    expect(await sweepExpired(parts)).toBe(2);
    const statuses = [ended, disabled, revoked, living].map((id) =>
      world.policy.principals.get(id),
    );
    const { ACTIVE, EXPIRED, REVOKED } = PrincipalStatus;
    expect(statuses).toEqual([EXPIRED, EXPIRED, REVOKED, ACTIVE]);
    expect((await storedStates()).toSorted()).toEqual(["active", "expired", "expired", "revoked"]);
    expect(expiries().map(({ machineId }) => machineId)).toEqual([ended, disabled].toSorted());
    expect(expiries()[0]).toMatchObject({
      outcome: Outcome.ALLOWED,
      actorKind: ActorKind.SERVICE,
      actorId: "identity",
      vaultId: world.vaultId,
      subjectId: token.tokenId,
    });
    expect(await sweepExpired(parts)).toBe(0);
    expect(expiries()).toHaveLength(2);
  });

  test("ends a machine whose enrollment was never finished; finishing it then is refused", async () => {
    const machine = newKey();
    world.policy.beforeApply = async () => {
      world.clock.nowMs += 60_000;
      expect(await sweepExpired(parts)).toBe(1);
    };
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
      reason: Reason.MACHINE_EXPIRED,
    });
    const [machineId = ""] = world.policy.principals.keys();
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.EXPIRED);
    expect((await world.resolve(machineId)).refusal).toBe(Reason.MACHINE_EXPIRED);
  });

  test("changes nothing while policy is away, and goes on afterwards", async () => {
    await addMachines(world, token, 3, 1000);
    world.clock.nowMs += 1000;
    world.policy.away = "revokePrincipals";
    await expect(sweepExpired(parts)).rejects.toMatchObject(away);
    expect(new Set(await storedStates())).toEqual(new Set(["active"]));
    expect(expiries()).toEqual([]);
    world.policy.away = "";
    expect(await sweepExpired(parts)).toBe(3);
    expect(expiries()).toHaveLength(3);
  });

  test("is not held up by a vault of which policy cannot end the machines", async () => {
    const others = [await addVault(world, "one"), await addVault(world, "two")];
    const tokens = [
      token,
      ...(await Promise.all(others.map((owner) => makeToken(world, {}, owner)))),
    ];
    for (const each of tokens) await addMachines(world, each, 1, 1000);
    world.clock.nowMs += 1000;
    const { revokePrincipals } = parts.policy;
    for (const { vaultId: broken } of tokens) {
      const policy: SweepParts["policy"] = {
        revokePrincipals: (request) =>
          request.vaultId === broken
            ? Promise.reject(new Error("broken"))
            : revokePrincipals(request),
      };
      await expect(sweepExpired({ ...parts, policy })).rejects.toMatchObject({
        reason: Reason.INTERNAL,
      });
      const left = await world.database.query<{ vault_id: string }>(
        "select vault_id from machines where state <> 'expired'",
      );
      expect(left).toEqual([{ vault_id: broken }]);
      await world.database.query("update machines set state = 'active'");
    }
    expect(await sweepExpired(parts)).toBe(3);
  });

  test("piles up no more records than of one batch while audit is away, and loses none", async () => {
    await addMachines(world, token, 1100, 1000);
    world.clock.nowMs += 1000;
    world.audit.away = true;
    await expect(sweepExpired(parts)).rejects.toMatchObject(away);
    await expect(sweepExpired(parts)).rejects.toMatchObject(away);
    const waiting = await world.database.query("select 1 from outbox");
    world.audit.away = false;
    await sweepExpired(parts);
    await expect.poll(() => expiries().length).toBe(1100);
    expect(new Set(expiries().map(({ machineId }) => machineId)).size).toBe(1100);
    expect(waiting).toHaveLength(500);
  });

  test("by many replicas at once ends each machine once", async () => {
    await addMachines(world, token, 1500, 1000);
    world.clock.nowMs += 1000;
    await using elsewhere = openDatabase({
      url: world.urls.servingUrl,
      applicationName: "replica",
    });
    const replica = { ...parts, database: elsewhere };
    const ended = await Promise.all([parts, replica, parts, replica].map(sweepExpired));
    expect(ended.reduce((sum, count) => sum + count, 0)).toBe(1500);
    expect(await sweepExpired(parts)).toBe(0);
    expect(expiries()).toHaveLength(1500);
  });

  test("does not wait for a machine that somebody works on; the next sweep takes it", async () => {
    const [busy = ""] = await addMachines(world, token, 3, 1000);
    world.clock.nowMs += 1000;
    await world.database.transaction(async (tx) => {
      await tx.query("select 1 from machines where machine_id = $1 for update", [busy]);
      expect(await sweepExpired(parts)).toBe(2);
    });
    expect(await sweepExpired(parts)).toBe(1);
  });

  test("of 10,000 machines takes batches of 500", async () => {
    await addMachines(world, token, 10_000, 1000);
    world.clock.nowMs += 1000;
    const begunMs = performance.now();
    expect(await sweepExpired(parts)).toBe(10_000);
    console.log(`sweep of 10,000 machines: ${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
    const calls = world.policy.calls.filter((call) => call === "revokePrincipals");
    expect(calls).toHaveLength(20);
    expect(expiries()).toHaveLength(10_000);
  }, 120_000);
});

test("a machine that was swept is neither disabled nor enabled again; it can still be revoked", async () => {
  const { machineId } = await enrollKey(world, token, newKey());
  world.clock.nowMs += 60_000;
  const expired = { reason: Reason.MACHINE_EXPIRED };
  for (const sweep of [false, true]) {
    if (sweep) await sweepExpired(parts);
    await expect(world.call(world.owner, disableMachine, { machineId })).rejects.toMatchObject(
      expired,
    );
    await expect(world.call(world.owner, enableMachine, { machineId })).rejects.toMatchObject(
      expired,
    );
    const { machine } = await world.call(world.owner, getMachine, { machineId });
    expect(machine?.state).toBe(MachineState.EXPIRED);
  }
  const { machine } = await world.call(world.owner, revokeMachine, { machineId });
  expect(machine?.state).toBe(MachineState.REVOKED);
  expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.REVOKED);
});

describe("sweeping", () => {
  test("goes on by itself, says once that it fails, and stops when it is disposed", async () => {
    const lines: Record<string, unknown>[] = [];
    const stream = {
      write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    };
    const logger = createLogger({ service: "identity", stream });
    const messages = () => lines.map(({ msg }) => msg);
    await addMachines(world, token, 2, 1000);
    world.policy.away = "revokePrincipals";
    const sweeping = startSweeping(parts, logger, 20);
    world.clock.nowMs += 1000;
    await expect.poll(messages).toEqual(["expired machines wait for the next sweep"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(messages()).toHaveLength(1);
    world.policy.away = "";
    await expect.poll(messages, { timeout: 3000 }).toContain("machines expired");
    expect(lines.at(-1)).toMatchObject({ machines: 2 });
    await sweeping[Symbol.asyncDispose]();
    await addMachines(world, token, 1, 1000);
    world.clock.nowMs += 1000;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await storedStates()).toContain("active");
  });
});
