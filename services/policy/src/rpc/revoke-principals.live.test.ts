import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  fillGrants,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

const { ACTIVE, REVOKED, EXPIRED } = PrincipalStatus;

let policy: TestPolicy;
let project: TestProject;
let vaultId: string;
let secretId: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  project = await addTestProject(policy, 2);
  ({ vaultId } = project);
  [secretId = ""] = project.secretIds;
});

async function addMachine(inProject = project): Promise<string> {
  const scope = scopeOf(inProject, inProject.secretIds);
  await policy.scope.applyScope(scope);
  return scope.machineId;
}

async function rowsOf(machineIds: readonly string[]): Promise<number> {
  const rows = await policy.database.query(
    `select machine_id from memberships where machine_id = any($1::text[])
     union all select machine_id from grants where machine_id = any($1::text[])`,
    [machineIds],
  );
  return rows.length;
}

const read = (machineId: string) => refusalOfRead(policy, vaultId, machineId, secretId);

describe("RevokePrincipals", () => {
  test("refuses the machines and takes what they had; others keep what they have", async () => {
    const machineIds = [await addMachine(), await addMachine()];
    const other = await addMachine();
    await policy.scope.revokePrincipals({ vaultId, machineIds, status: REVOKED });
    for (const machineId of machineIds) expect(await read(machineId)).toBe(Reason.MACHINE_DISABLED);
    expect(await rowsOf(machineIds)).toBe(0);
    expect(await read(other)).toBe(Reason.UNSPECIFIED);
    expect(await rowsOf([other])).toBe(3);
  });

  test("passes over machines that the vault does not have, those of another vault too", async () => {
    const elsewhere = await addTestProject(policy, 1);
    const theirs = await addMachine(elsewhere);
    const machineIds = [newId("mch"), theirs, await addMachine()];
    await policy.scope.revokePrincipals({ vaultId, machineIds, status: REVOKED });
    expect(await read(machineIds[2] ?? "")).toBe(Reason.MACHINE_DISABLED);
    expect(await rowsOf([theirs])).toBe(2);
    const theirRead = refusalOfRead(
      policy,
      elsewhere.vaultId,
      theirs,
      elsewhere.secretIds[0] ?? "",
    );
    expect(await theirRead).toBe(Reason.UNSPECIFIED);
  });

  test("of an expired machine says so; it does not come back, but may still be revoked", async () => {
    const machineId = await addMachine();
    const end = (status: PrincipalStatus) =>
      policy.scope.revokePrincipals({ vaultId, machineIds: [machineId], status });
    await end(EXPIRED);
    expect(await read(machineId)).toBe(Reason.MACHINE_EXPIRED);
    const back = policy.scope.setPrincipalStatus({ vaultId, machineId, status: ACTIVE });
    expect(await reasonOf(back)).toBe(Reason.NOT_FOUND);
    await end(REVOKED);
    expect(await read(machineId)).toBe(Reason.MACHINE_DISABLED);
    await end(EXPIRED);
    expect(await read(machineId)).toBe(Reason.MACHINE_DISABLED);
  });

  test("repeated, finishes what a failure left", async () => {
    const machineId = await addMachine();
    const request = { vaultId, machineIds: [machineId], status: REVOKED };
    await policy.scope.revokePrincipals(request);
    await fillGrants(policy, project, [machineId]);
    expect(await rowsOf([machineId])).toBe(3);
    await policy.scope.revokePrincipals(request);
    expect(await rowsOf([machineId])).toBe(0);
  });

  test("of 500 machines with 50 grants each leaves nothing", async () => {
    const large = await addTestProject(policy, 50, vaultId);
    const machineIds = Array.from({ length: 500 }, () => newId("mch"));
    await fillGrants(policy, large, machineIds);
    const start = performance.now();
    await policy.scope.revokePrincipals({ vaultId, machineIds, status: EXPIRED });
    const tookMs = performance.now() - start;
    console.info(`RevokePrincipals, 500 machines × 50 grants: ${tookMs.toFixed(0)} ms`);
    expect(await rowsOf(machineIds)).toBe(0);
  });

  test("refuses before it takes: while the deletion is held up, nobody reads any more", async () => {
    const machineId = await addMachine();
    const locked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const holding = policy.database.transaction(async (tx) => {
      await tx.query("select secret_id from grants where machine_id = $1 for update", [machineId]);
      locked.resolve();
      await released.promise;
    });
    await locked.promise; // Else the deletion may come first, and nothing holds it up.
    const revoking = policy.scope.revokePrincipals({
      vaultId,
      machineIds: [machineId],
      status: REVOKED,
    });
    await expect.poll(() => read(machineId)).toBe(Reason.MACHINE_DISABLED);
    expect(await rowsOf([machineId])).toBe(3);
    released.resolve();
    await Promise.all([holding, revoking]);
    expect(await rowsOf([machineId])).toBe(0);
  });
});
