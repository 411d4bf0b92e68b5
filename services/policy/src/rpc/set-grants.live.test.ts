import { Reason, ReasonSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { enumName } from "@sallyport/proto/names";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

const { addGrant, setGrants, listGrantsByMachine } = GrantService.method;

let policy: TestPolicy;
let project: TestProject;
let owner: SigningUser;
let vaultId: string;
let projectId: string;
let machineId: string;
let secretIds: string[];

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  project = await addTestProject(policy, 4);
  ({ vaultId, projectId } = project);
  secretIds = [...project.secretIds];
  owner = newUser(vaultId);
  const scope = scopeOf(project, secretIds.slice(0, 2));
  await policy.scope.applyScope(scope);
  machineId = scope.machineId;
  policy.audit.events.length = 0;
});

const set = (ids: readonly string[], anyVersion = false) =>
  policy.call(owner, setGrants, { machineId, projectId, secretIds: [...ids], anyVersion });

/** Where the call was refused, by the field that it names; empty when it was not. */
async function fieldOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "",
    (error: unknown) =>
      `${enumName(ReasonSchema, failureOf(error).reason)} ${failureOf(error).metadata["field"]}`,
  );
}

describe("SetGrants", () => {
  test("replaces what the machine may read of the project, with one record for each difference", async () => {
    const [a = "", b = "", c = ""] = secretIds;
    await policy.call(owner, addGrant, { machineId, secretId: c, anyVersion: true });
    policy.audit.events.length = 0;
    const wanted = [b, c, secretIds[3] ?? ""];
    const { grants, added, removed, changed } = await set(wanted);
    expect({ added, removed, changed }).toEqual({ added: 1, removed: 1, changed: 1 });
    expect(grants.map(({ secretId }) => secretId)).toEqual(wanted);
    expect(grants.every(({ anyVersion }) => !anyVersion)).toBe(true);
    const records = policy.audit.events.map((event) => [
      event.action,
      event.secretId,
      event.actorId,
    ]);
    expect(records).toEqual([
      ["grant.removed", a, owner.userId],
      ["grant.changed", c, owner.userId],
      ["grant.added", wanted[2], owner.userId],
    ]);
    for (const event of policy.audit.events)
      expect(event).toMatchObject({ machineId, projectId, vaultId });
    expect(await refusalOfRead(policy, vaultId, machineId, a)).toBe(Reason.NOT_GRANTED);
    expect(await refusalOfRead(policy, vaultId, machineId, b)).toBe(Reason.UNSPECIFIED);
    expect(await refusalOfRead(policy, vaultId, machineId, b, 1)).toBe(Reason.NOT_GRANTED);
  });

  test("repeated differs in nothing and records nothing; who gave what stays", async () => {
    const { grants } = await set(secretIds, true);
    policy.audit.events.length = 0;
    const admin = newUser(vaultId);
    const again = await policy.call(admin, setGrants, {
      machineId,
      projectId,
      secretIds,
      anyVersion: true,
    });
    expect(again).toMatchObject({ added: 0, removed: 0, changed: 0, grants });
    expect(policy.audit.events).toEqual([]);
    expect(await refusalOfRead(policy, vaultId, machineId, secretIds[0] ?? "", 1)).toBe(
      Reason.UNSPECIFIED,
    );
  });

  test("to none takes everything back, of this project and this machine only", async () => {
    const other = await addTestProject(policy, 1, vaultId);
    const elsewhere = scopeOf(other, other.secretIds);
    elsewhere.projectIds.push(projectId);
    elsewhere.secretIds.push(...secretIds);
    await policy.scope.applyScope(elsewhere);
    const request = { machineId: elsewhere.machineId, projectId, secretIds: [] };
    expect(await policy.call(owner, setGrants, request)).toMatchObject({ removed: 4, grants: [] });
    const left = await policy.call(owner, listGrantsByMachine, { machineId: elsewhere.machineId });
    expect(left.grants.map(({ secretId }) => secretId)).toEqual(other.secretIds);
    expect((await policy.call(owner, listGrantsByMachine, { machineId })).grants.length).toBe(2);
  });

  test("takes hidden grants too, so that a restored secret is not readable by surprise", async () => {
    const [a = "", b = ""] = secretIds;
    await policy.directory.retireResources({ vaultId, secretIds: [a] });
    expect(await set([b])).toMatchObject({ removed: 1 });
    await policy.directory.reinstateResources({ vaultId, secretIds: [a] });
    expect(await refusalOfRead(policy, vaultId, machineId, a)).toBe(Reason.NOT_GRANTED);
  });

  test("names what is not found, and then changes nothing", async () => {
    const other = await addTestProject(policy, 1, vaultId);
    const foreign = await addTestProject(policy, 1);
    const elsewhere = scopeOf(foreign, []);
    await policy.scope.applyScope(elsewhere);
    const request = { machineId, projectId, secretIds };
    const [a = ""] = secretIds;
    const refused = async (changes: Partial<typeof request>) =>
      fieldOf(policy.call(owner, setGrants, { ...request, ...changes }));
    policy.audit.events.length = 0;
    expect(await refused({ machineId: newId("mch") })).toBe("NOT_FOUND machine_id");
    expect(await refused({ machineId: elsewhere.machineId })).toBe("NOT_FOUND machine_id");
    expect(await refused({ projectId: newId("prj") })).toBe("NOT_FOUND project_id");
    expect(await refused({ projectId: foreign.projectId })).toBe("NOT_FOUND project_id");
    expect(await refused({ projectId: other.projectId, secretIds: [] })).toBe(
      "NOT_FOUND membership",
    );
    expect(await refused({ secretIds: [a, newId("sec")] })).toBe("NOT_FOUND secret_ids");
    expect(await refused({ secretIds: [a, ...other.secretIds] })).toBe("NOT_FOUND secret_ids");
    expect(await refused({ secretIds: [a, ...foreign.secretIds] })).toBe("NOT_FOUND secret_ids");
    await policy.directory.retireResources({ vaultId, secretIds: [a] });
    expect(await refused({ secretIds: [a] })).toBe("NOT_FOUND secret_ids");
    await policy.directory.reinstateResources({ vaultId, secretIds: [a] });
    expect(policy.audit.events).toEqual([]);
    expect((await policy.call(owner, listGrantsByMachine, { machineId })).grants.length).toBe(2);
  });

  test("of a machine that has ended is refused", async () => {
    await policy.scope.setPrincipalStatus({ vaultId, machineId, status: PrincipalStatus.EXPIRED });
    expect(await fieldOf(set([]))).toBe("NOT_FOUND machine_id");
  });

  test("takes a thousand secrets at once, and its bounds are kept", async () => {
    const large = await addTestProject(policy, 1001, vaultId);
    const scope = scopeOf(large, []);
    await policy.scope.applyScope(scope);
    const request = { machineId: scope.machineId, projectId: large.projectId };
    const some = large.secretIds.slice(1);
    const start = performance.now();
    const { added, grants } = await policy.call(owner, setGrants, { ...request, secretIds: some });
    console.info(`SetGrants of 1,000 new secrets: ${(performance.now() - start).toFixed(0)} ms`);
    expect([added, grants.length]).toEqual([1000, 1000]);
    const [first = ""] = some;
    for (const ids of [large.secretIds, [first, first], ["sec_short"]]) {
      const refused = policy.call(owner, setGrants, { ...request, secretIds: [...ids] });
      expect(await reasonOf(refused)).toBe(Reason.FIELD_INVALID);
    }
  });
});
