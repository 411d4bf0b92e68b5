import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { enrollKey, makeMachine, makeToken } from "../testing/fleet.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { getMachine, listMachines, disableMachine, enableMachine, revokeMachine } =
  MachineService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
  world.policy.away = "";
});

async function stateOf(machineId: string): Promise<MachineState | undefined> {
  const { machine } = await world.call(world.owner, getMachine, { machineId });
  return machine?.state;
}

function recordsOf(machineId: string): string[] {
  return world.audit.events
    .filter((event) => event.machineId === machineId)
    .map(({ action }) => action);
}

const away = { reason: Reason.DEPENDENCY_UNAVAILABLE };

describe("DisableMachine", () => {
  test("answers after policy refuses the machine; its key is then known as disabled; recorded once", async () => {
    const { keyId: machineId } = await makeMachine(world);
    const { machine } = await world.call(world.owner, disableMachine, {
      machineId,
      reason: "lost",
    });
    expect(machine?.state).toBe(MachineState.DISABLED);
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.DISABLED);
    const resolved = await world.resolve(machineId);
    expect(resolved).toMatchObject({ refusal: Reason.MACHINE_DISABLED });
    expect(resolved.publicKey).toHaveLength(32);
    expect(resolved.credential).toBeUndefined();
    await world.call(world.owner, disableMachine, { machineId });
    expect(recordsOf(machineId)).toEqual(["machine.enrolled", "machine.disabled"]);
    expect(world.audit.events.at(-1)?.detail["disable_reason"]).toBe("lost");
  });

  test("changes and records nothing while policy is away", async () => {
    const { keyId: machineId } = await makeMachine(world);
    world.policy.away = "setPrincipalStatus";
    await expect(world.call(world.owner, disableMachine, { machineId })).rejects.toMatchObject(
      away,
    );
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
    expect(recordsOf(machineId)).toEqual(["machine.enrolled"]);
  });

  test("a replayed one does not reach policy", async () => {
    const { keyId: machineId } = await makeMachine(world);
    const request = await world.evidence(world.owner, disableMachine, { machineId });
    await world.send(disableMachine, request);
    await world.call(world.owner, enableMachine, { machineId });
    await expect(world.send(disableMachine, request)).rejects.toMatchObject({
      reason: Reason.REQUEST_REJECTED,
    });
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.ACTIVE);
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
  });

  test("stops a machine that policy does not know yet; enabling lets its enrollment be finished", async () => {
    const [token, machine] = [await makeToken(world), newKey()];
    world.policy.away = "applyScope";
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject(away);
    world.policy.away = "";
    const [row] = await world.database.query<{ machine_id: string }>(
      "select machine_id from machines where token_id = $1",
      [token.tokenId],
    );
    const machineId = row?.machine_id ?? "";
    await world.call(world.owner, disableMachine, { machineId });
    await expect(enrollKey(world, token, machine)).rejects.toMatchObject({
      reason: Reason.MACHINE_DISABLED,
    });
    await world.call(world.owner, enableMachine, { machineId });
    expect(await stateOf(machineId)).toBe(MachineState.PROVISIONING);
    expect((await enrollKey(world, token, machine)).machineId).toBe(machineId);
    expect((await world.resolve(machineId)).credential).toBeDefined();
  });
});

describe("EnableMachine", () => {
  test("lets the machine in, in policy last; a failure there leaves it refused until it is repeated", async () => {
    const { keyId: machineId } = await makeMachine(world);
    await world.call(world.owner, disableMachine, { machineId });
    world.policy.away = "setPrincipalStatus";
    await expect(world.call(world.owner, enableMachine, { machineId })).rejects.toMatchObject(away);
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.DISABLED);
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
    world.policy.away = "";
    await world.call(world.owner, enableMachine, { machineId });
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.ACTIVE);
    expect((await world.resolve(machineId)).credential).toBeDefined();
    expect(recordsOf(machineId)).toEqual([
      "machine.enrolled",
      "machine.disabled",
      "machine.enabled",
    ]);
  });

  test("does not let in a machine that another replica stops between the two steps", async () => {
    const { keyId: machineId } = await makeMachine(world);
    await world.call(world.owner, disableMachine, { machineId });
    world.audit.beforeAppend = async (events) => {
      if (!events.some(({ action }) => action === "machine.enabled")) return;
      await world.database.query("update machines set state = 'disabled' where machine_id = $1", [
        machineId,
      ]);
      world.policy.principals.set(machineId, PrincipalStatus.DISABLED);
    };
    await world.call(world.owner, enableMachine, { machineId });
    world.audit.beforeAppend = () => Promise.resolve();
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.DISABLED);
  });

  test("does not let in what was revoked or is expired", async () => {
    const { keyId: revoked } = await makeMachine(world);
    const { keyId: expired } = await makeMachine(world, { machineLifetimeMs: 60_000 });
    await world.call(world.owner, revokeMachine, { machineId: revoked });
    await world.call(world.owner, disableMachine, { machineId: expired });
    world.clock.nowMs += 60_000;
    const enable = (machineId: string) => world.call(world.owner, enableMachine, { machineId });
    await expect(enable(revoked)).rejects.toMatchObject({ reason: Reason.MACHINE_DISABLED });
    await expect(enable(expired)).rejects.toMatchObject({ reason: Reason.MACHINE_EXPIRED });
    expect(world.policy.principals.get(revoked)).toBe(PrincipalStatus.REVOKED);
    expect(world.policy.principals.get(expired)).toBe(PrincipalStatus.DISABLED);
  });

  test("many at once with disabling end with policy and identity agreed", async () => {
    const { keyId: machineId } = await makeMachine(world);
    const both = () => [
      world.call(world.owner, disableMachine, { machineId }),
      world.call(world.owner, enableMachine, { machineId }),
    ];
    await Promise.all(Array.from({ length: 6 }, both).flat());
    const active = (await stateOf(machineId)) === MachineState.ACTIVE;
    const expected = active ? PrincipalStatus.ACTIVE : PrincipalStatus.DISABLED;
    expect(world.policy.principals.get(machineId)).toBe(expected);
  });
});

describe("RevokeMachine", () => {
  test("is for good, answers after policy, works on a disabled machine, and is recorded once", async () => {
    const { keyId: machineId } = await makeMachine(world);
    await world.call(world.owner, disableMachine, { machineId });
    const { machine } = await world.call(world.owner, revokeMachine, {
      machineId,
      reason: "stolen",
    });
    expect(machine?.state).toBe(MachineState.REVOKED);
    expect(world.policy.principals.get(machineId)).toBe(PrincipalStatus.REVOKED);
    await world.call(world.owner, revokeMachine, { machineId });
    await expect(world.call(world.owner, disableMachine, { machineId })).rejects.toMatchObject({
      reason: Reason.MACHINE_DISABLED,
    });
    expect(recordsOf(machineId)).toEqual([
      "machine.enrolled",
      "machine.disabled",
      "machine.revoked",
    ]);
  });

  test("changes nothing while policy is away", async () => {
    const { keyId: machineId } = await makeMachine(world);
    world.policy.away = "setPrincipalStatus";
    await expect(world.call(world.owner, revokeMachine, { machineId })).rejects.toMatchObject(away);
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
  });
});

describe("machines as their vault sees them", () => {
  test("unknown ids are NOT_FOUND", async () => {
    const machineId = newId("mch");
    const notFound = { reason: Reason.NOT_FOUND };
    await expect(world.call(world.owner, getMachine, { machineId })).rejects.toMatchObject(
      notFound,
    );
    await expect(world.call(world.owner, disableMachine, { machineId })).rejects.toMatchObject(
      notFound,
    );
    await expect(world.call(world.owner, enableMachine, { machineId })).rejects.toMatchObject(
      notFound,
    );
    await expect(world.call(world.owner, revokeMachine, { machineId })).rejects.toMatchObject(
      notFound,
    );
  });

  test("a machine's life is over at the very millisecond, unless it was revoked", async () => {
    const { keyId: machineId } = await makeMachine(world, { machineLifetimeMs: 60_000 });
    world.clock.nowMs += 59_999;
    expect(await stateOf(machineId)).toBe(MachineState.ACTIVE);
    world.clock.nowMs += 1;
    expect(await stateOf(machineId)).toBe(MachineState.EXPIRED);
    expect(await world.resolve(machineId)).toMatchObject({ refusal: Reason.MACHINE_EXPIRED });
    await world.call(world.owner, revokeMachine, { machineId });
    expect(await stateOf(machineId)).toBe(MachineState.REVOKED);
    expect(await world.resolve(machineId)).toMatchObject({ refusal: Reason.MACHINE_DISABLED });
  });

  test("pages hold every machine once, newest first", async () => {
    const made: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      world.clock.nowMs += 1;
      made.unshift((await makeMachine(world)).keyId);
    }
    const listed: string[] = [];
    let pageToken = "";
    do {
      const page = await world.call(world.owner, listMachines, { pageSize: 2, pageToken });
      expect(page.machines.length).toBeLessThanOrEqual(2);
      listed.push(...page.machines.map(({ machineId }) => machineId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(listed.slice(0, 3)).toEqual(made);
    const [row] = await world.database.query<{ all: number }>(
      "select count(*)::int as all from machines",
    );
    expect(new Set(listed).size).toBe(listed.length);
    expect(listed).toHaveLength(row?.all ?? -1);
    await expect(world.call(world.owner, listMachines, { pageToken: "x" })).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
    });
  });

  test("a machine may not manage machines", async () => {
    const machine = await makeMachine(world);
    await expect(
      world.call(machine, disableMachine, { machineId: machine.keyId }),
    ).rejects.toMatchObject({
      reason: Reason.ROLE_REQUIRED,
    });
  });
});
