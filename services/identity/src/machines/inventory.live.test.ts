import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  MachineService,
  MachineState,
} from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { addMachines, enrollKey, makeMachine, makeToken } from "../testing/fleet.ts";
import { newKey } from "../testing/signing.ts";
import { type World, startWorld } from "../testing/world.ts";

const { batchGetMachines, disableMachine, getMachine, listMachines, renameMachine, revokeMachine } =
  MachineService.method;

let world: World;
beforeAll(async () => {
  world = await startWorld({ machineCap: 5000 });
  return () => world[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.clock.nowMs += 1000;
});

async function machineOf(machineId: string) {
  const { machine } = await world.call(world.owner, getMachine, { machineId });
  if (!machine) throw new Error("no machine");
  return machine;
}

function sighting(
  keyId: string,
  atMs: number,
  sourceIp = "192.0.2.9",
  client = "sallyport-cli/1.2",
) {
  return { keyId, seenAt: timestampFromMs(atMs), sourceIp, client };
}

describe("ReportSightings", () => {
  test("shows when, from where and by which program a machine was last seen", async () => {
    const { keyId } = await makeMachine(world);
    const before = await machineOf(keyId);
    expect(before.lastSeenAt).toBeUndefined();
    expect(before).toMatchObject({ lastSourceIp: "", client: "" });
    expect(before.keyCreatedAt).toEqual(before.createdAt);
    const { nowMs } = world.clock;
    await world.keys.reportSightings({ sightings: [sighting(keyId, nowMs)] });
    const after = await machineOf(keyId);
    expect(after.lastSeenAt && timestampMs(after.lastSeenAt)).toBe(nowMs);
    expect(after).toMatchObject({ lastSourceIp: "192.0.2.9", client: "sallyport-cli/1.2" });
  });

  test("keeps the newest, whatever order they come in, also within one report", async () => {
    const { keyId } = await makeMachine(world);
    const { nowMs } = world.clock;
    await world.keys.reportSightings({
      sightings: [
        sighting(keyId, nowMs - 10, "192.0.2.1"),
        sighting(keyId, nowMs - 5, "192.0.2.2"),
      ],
    });
    expect((await machineOf(keyId)).lastSourceIp).toBe("192.0.2.2");
    await world.keys.reportSightings({ sightings: [sighting(keyId, nowMs - 7, "192.0.2.3")] });
    expect((await machineOf(keyId)).lastSourceIp).toBe("192.0.2.2");
    await world.keys.reportSightings({ sightings: [sighting(keyId, nowMs - 1, "2001:db8::1")] });
    expect((await machineOf(keyId)).lastSourceIp).toBe("2001:db8::1");
  });

  test("believes no time ahead: such a sighting would stay for ever", async () => {
    const { keyId } = await makeMachine(world);
    const { nowMs } = world.clock;
    await world.keys.reportSightings({ sightings: [sighting(keyId, nowMs + 86_400_000)] });
    const { lastSeenAt } = await machineOf(keyId);
    expect(lastSeenAt && timestampMs(lastSeenAt)).toBe(nowMs);
  });

  test("stores nothing of keys that do not exist", async () => {
    const { keyId } = await makeMachine(world);
    const unknown = [newId("mch"), `${newId("usr")}.${"0".repeat(20)}`];
    const sightings = [...unknown, keyId, world.owner.keyId].map((id) =>
      sighting(id, world.clock.nowMs),
    );
    await world.keys.reportSightings({ sightings });
    const rows = await world.database.query<{ key_id: string }>(
      "select key_id from sightings where key_id = any($1::text[])",
      [[...unknown, keyId, world.owner.keyId]],
    );
    expect(rows.map(({ key_id }) => key_id).toSorted()).toEqual(
      [keyId, world.owner.keyId].toSorted(),
    );
  });

  test("from many gateways at once about the same keys does not fail", async () => {
    const token = await makeToken(world);
    const machineIds = await addMachines(world, token, 200);
    const { nowMs } = world.clock;
    const reports = Array.from({ length: 8 }, (_, at) => {
      const ids = at % 2 === 0 ? machineIds : machineIds.toReversed();
      return world.keys.reportSightings({ sightings: ids.map((id) => sighting(id, nowMs - at)) });
    });
    await Promise.all(reports);
    const { machines } = await world.call(world.owner, batchGetMachines, { machineIds });
    expect(
      new Set(machines.map(({ lastSeenAt }) => lastSeenAt && timestampMs(lastSeenAt))),
    ).toEqual(new Set([nowMs]));
  });
});

describe("RenameMachine", () => {
  test("gives another name, keeps the former ones with who and when, and records it", async () => {
    const { keyId: machineId } = await makeMachine(world);
    const firstMs = world.clock.nowMs;
    await world.call(world.owner, renameMachine, { machineId, name: "second" });
    world.clock.nowMs += 1000;
    const { machine } = await world.call(world.owner, renameMachine, { machineId, name: "third" });
    expect(machine?.name).toBe("third");
    const told = machine?.formerNames.map(({ name, until, changedBy }) => [
      name,
      until && timestampMs(until),
      changedBy,
    ]);
    expect(told).toEqual([
      ["second", world.clock.nowMs, world.ownerId],
      ["runner-1", firstMs, world.ownerId],
    ]);
    expect(await machineOf(machineId)).toEqual(machine);
    expect(
      world.audit.events.filter(({ action }) => action === "machine.renamed").at(-1),
    ).toMatchObject({
      machineId,
      vaultId: world.vaultId,
      actorId: world.ownerId,
      detail: { name: "third", former_name: "second" },
    });
  });

  test("to the name that it has changes and records nothing", async () => {
    const { keyId: machineId } = await makeMachine(world);
    const before = world.audit.events.length;
    const { machine } = await world.call(world.owner, renameMachine, {
      machineId,
      name: "runner-1",
    });
    expect(machine?.formerNames).toEqual([]);
    expect(world.audit.events).toHaveLength(before);
  });

  test("tells 20 former names at most, and refuses what is no name", async () => {
    const { keyId: machineId } = await makeMachine(world);
    for (let at = 0; at < 22; at += 1)
      await world.call(world.owner, renameMachine, { machineId, name: `n-${at}` });
    const { formerNames } = await machineOf(machineId);
    expect(formerNames.map(({ name }) => name)).toEqual(
      Array.from({ length: 20 }, (_, at) => `n-${20 - at}`),
    );
    for (const name of ["", "-a", "a b", "a".repeat(129)])
      await expect(
        world.call(world.owner, renameMachine, { machineId, name }),
      ).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
      });
    const unknown = { machineId: newId("mch"), name: "x" };
    await expect(world.call(world.owner, renameMachine, unknown)).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
    });
  });

  test("answers names in the order in which they were given up, when two people rename at once", async () => {
    const { keyId: machineId } = await makeMachine(world);
    await Promise.all(
      ["a", "b", "c"].map((name) => world.call(world.owner, renameMachine, { machineId, name })),
    );
    const { name, formerNames } = await machineOf(machineId);
    const all = [name, ...formerNames.map((former) => former.name)];
    expect(all.toSorted()).toEqual(["a", "b", "c", "runner-1"]);
    expect(all.at(-1)).toBe("runner-1");
  });
});

test("BatchGetMachines describes those that there are, each once, and refuses too many", async () => {
  const [one, two] = [await makeMachine(world), await makeMachine(world)];
  const machineIds = [two.keyId, newId("mch"), one.keyId];
  const { machines } = await world.call(world.owner, batchGetMachines, { machineIds });
  expect(machines.map(({ machineId }) => machineId).toSorted()).toEqual(
    [one.keyId, two.keyId].toSorted(),
  );
  expect(machines.find(({ machineId }) => machineId === one.keyId)).toEqual(
    await machineOf(one.keyId),
  );
  const many = Array.from({ length: 201 }, () => newId("mch"));
  for (const wrong of [[], many, [one.keyId, one.keyId]])
    await expect(
      world.call(world.owner, batchGetMachines, { machineIds: wrong }),
    ).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
    });
});

describe("ListMachines", () => {
  async function listed(request: object): Promise<string[]> {
    const ids: string[] = [];
    let pageToken = "";
    do {
      const page = await world.call(world.owner, listMachines, {
        ...request,
        pageSize: 2,
        pageToken,
      });
      ids.push(...page.machines.map(({ machineId }) => machineId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return ids;
  }

  test("filters by token, name and state, alone and together, through every page", async () => {
    const [token, other] = [
      await makeToken(world, { maxUses: 9 }),
      await makeToken(world, { maxUses: 9 }),
    ];
    const enroll = async (of: typeof token, machineName: string) => {
      world.clock.nowMs += 1;
      return (await enrollKey(world, of, newKey(), { machineName })).machineId;
    };
    const a = await enroll(token, "alpha");
    const b = await enroll(token, "beta");
    const c = await enroll(token, "alpha");
    const d = await enroll(other, "alpha");
    const [gone = ""] = await addMachines(world, token, 1, 1);
    await world.call(world.owner, disableMachine, { machineId: b });
    await world.call(world.owner, revokeMachine, { machineId: c });
    world.clock.nowMs += 1;
    const { tokenId } = token;
    const { ACTIVE, DISABLED, EXPIRED, REVOKED, PROVISIONING } = MachineState;
    expect(new Set(await listed({ tokenId }))).toEqual(new Set([a, b, c, gone]));
    expect(await listed({ tokenId, name: "alpha" })).toEqual([c, a]);
    expect(await listed({ name: "alpha" })).toEqual([d, c, a]);
    expect(await listed({ tokenId, states: [ACTIVE] })).toEqual([a]);
    expect(await listed({ tokenId, states: [DISABLED, REVOKED] })).toEqual([c, b]);
    expect(await listed({ tokenId, states: [EXPIRED] })).toEqual([gone]);
    expect(await listed({ tokenId, states: [PROVISIONING] })).toEqual([]);
    expect(await listed({ tokenId, name: "alpha", states: [ACTIVE] })).toEqual([a]);
    expect(await listed({ name: "alp" })).toEqual([]);
    expect(await listed({ tokenId: newId("tok") })).toEqual([]);
    await expect(
      world.call(world.owner, listMachines, { states: [MachineState.UNSPECIFIED] }),
    ).rejects.toMatchObject({ reason: Reason.FIELD_INVALID });
  });

  test("pages hold every machine once while others are enrolled", async () => {
    const token = await makeToken(world, { maxUses: 50 });
    const before = await addMachines(world, token, 7);
    world.clock.nowMs += 1;
    const { tokenId } = token;
    const first = await world.call(world.owner, listMachines, { tokenId, pageSize: 3 });
    await enrollKey(world, token, newKey());
    const rest = await world.call(world.owner, listMachines, {
      tokenId,
      pageToken: first.nextPageToken,
    });
    const ids = [...first.machines, ...rest.machines].map(({ machineId }) => machineId);
    expect(ids.toSorted()).toEqual(before.toSorted());
  });
});

test("GetVault tells the cap and how many machines live", async () => {
  const vault = async () => (await world.call(world.owner, VaultService.method.getVault, {})).vault;
  const before = await vault();
  expect(before?.machineCap).toBe(5000);
  const { keyId: machineId } = await makeMachine(world);
  expect((await vault())?.machines).toBe((before?.machines ?? 0) + 1);
  await world.call(world.owner, revokeMachine, { machineId });
  expect((await vault())?.machines).toBe(before?.machines);
  const { tokenId } = await makeToken(world);
  const { token } = await world.call(world.owner, EnrollmentService.method.getToken, { tokenId });
  expect(token?.createdByName).toBe("ada");
});
