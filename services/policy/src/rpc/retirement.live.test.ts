import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Purpose } from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  readOf,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

const { addGrant, removeGrant, listGrantsByMachine, listGrantsBySecret } = GrantService.method;
const { addMembership, removeMembership, listMemberships } = MembershipService.method;

let policy: TestPolicy;
let owner: SigningUser;
let project: TestProject;
let vaultId: string;
let projectId: string;
let machineId: string;
let hidden: string;
let shown: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  project = await addTestProject(policy, 2);
  ({ vaultId, projectId } = project);
  [hidden = "", shown = ""] = project.secretIds;
  owner = newUser(vaultId);
  const scope = scopeOf(project, project.secretIds);
  machineId = scope.machineId;
  await policy.scope.applyScope(scope);
  policy.audit.events.length = 0;
});

const read = (secretId: string, machine = machineId) =>
  refusalOfRead(policy, vaultId, machine, secretId);
const retireSecret = (purged = false) =>
  policy.directory.retireResources({ vaultId, secretIds: [hidden], purged });
const reinstateSecret = () => policy.directory.reinstateResources({ vaultId, secretIds: [hidden] });
const retireProject = (purged = false) =>
  policy.directory.retireResources({ vaultId, projectIds: [projectId], purged });

async function found(target: object, purpose: Purpose = Purpose.READ) {
  const item = { ...readOf(vaultId, machineId, []), ...target, purpose };
  const { results } = await policy.authorization.authorize({ items: [item] });
  const [result] = results;
  return {
    refusal: result?.refusal?.reason,
    secretIds: result?.secrets.map(({ secretId }) => secretId),
  };
}

describe("a retired secret", () => {
  test("is refused like one that never was, and recorded like it", async () => {
    await retireSecret();
    expect(await read(hidden)).toBe(Reason.NOT_GRANTED);
    expect(await read(newId("sec"))).toBe(Reason.NOT_GRANTED);
    const records = policy.audit.events.map(({ reason, projectId: place, detail }) => [
      reason,
      place,
      detail,
    ]);
    expect(records).toEqual([records[1], records[1]]);
    expect(await read(shown)).toBe(Reason.UNSPECIFIED);
  });

  test("is in no list and can be given to nobody", async () => {
    await retireSecret();
    expect((await found({ projectId })).secretIds).toEqual([shown]);
    expect((await found({ allGranted: true }, Purpose.LIST)).secretIds).toEqual([shown]);
    const { grants } = await policy.call(owner, listGrantsByMachine, { machineId });
    expect(grants.map(({ secretId }) => secretId)).toEqual([shown]);
    const secretId = hidden;
    expect(await reasonOf(policy.call(owner, listGrantsBySecret, { secretId }))).toBe(
      Reason.NOT_FOUND,
    );
    expect(await reasonOf(policy.call(owner, addGrant, { machineId, secretId }))).toBe(
      Reason.NOT_FOUND,
    );
    const scope = { vaultId, projectIds: [projectId], secretIds: [hidden] };
    expect(await reasonOf(policy.scope.validateScope(scope))).toBe(Reason.NOT_FOUND);
  });

  test("lives again with its grants when it is reinstated", async () => {
    await retireSecret();
    await retireSecret();
    await reinstateSecret();
    await reinstateSecret();
    expect(await read(hidden)).toBe(Reason.UNSPECIFIED);
    expect((await found({ projectId })).secretIds).toEqual([hidden, shown]);
  });

  test("does not come back with what was taken back meanwhile", async () => {
    await retireSecret();
    await policy.call(owner, removeGrant, { machineId, secretId: hidden });
    await reinstateSecret();
    expect(await read(hidden)).toBe(Reason.NOT_GRANTED);
  });

  test("of a token in use is given hidden to a new machine, which reads it once it is back", async () => {
    await retireSecret();
    const scope = scopeOf(project, project.secretIds);
    await policy.scope.applyScope(scope);
    expect(await read(shown, scope.machineId)).toBe(Reason.UNSPECIFIED);
    expect(await read(hidden, scope.machineId)).toBe(Reason.NOT_GRANTED);
    await reinstateSecret();
    expect(await read(hidden, scope.machineId)).toBe(Reason.UNSPECIFIED);
  });
});

describe("a retired project", () => {
  test("hides its secrets and itself; a secret that is reinstated alone stays hidden with it", async () => {
    await retireProject();
    await retireSecret();
    await reinstateSecret();
    for (const secretId of project.secretIds) expect(await read(secretId)).toBe(Reason.NOT_GRANTED);
    expect(await found({ projectId })).toEqual({ refusal: Reason.NOT_GRANTED, secretIds: [] });
    expect(await found({ allGranted: true })).toEqual({ refusal: undefined, secretIds: [] });
    expect((await policy.call(owner, listGrantsByMachine, { machineId })).grants).toEqual([]);
    await policy.directory.reinstateResources({ vaultId, projectIds: [projectId] });
    for (const secretId of project.secretIds) expect(await read(secretId)).toBe(Reason.UNSPECIFIED);
  });

  test("takes neither members nor secrets", async () => {
    await retireProject();
    expect(await reasonOf(policy.call(owner, addMembership, { machineId, projectId }))).toBe(
      Reason.NOT_FOUND,
    );
    expect(await reasonOf(policy.call(owner, listMemberships, { projectId }))).toBe(
      Reason.NOT_FOUND,
    );
    const secrets = [{ secretId: newId("sec"), projectId }];
    expect(await reasonOf(policy.directory.registerResources({ vaultId, secrets }))).toBe(
      Reason.NOT_FOUND,
    );
    const scope = { vaultId, projectIds: [projectId], secretIds: [] };
    expect(await reasonOf(policy.scope.validateScope(scope))).toBe(Reason.NOT_FOUND);
    await policy.call(owner, removeMembership, { machineId, projectId });
  });
});

describe("what is purged", () => {
  async function rows(table: "grants" | "memberships"): Promise<number> {
    const sql = `select machine_id from ${table} where project_id = $1`;
    return (await policy.database.query(sql, [projectId])).length;
  }

  test("has no grants left and does not come back; its id is not used again", async () => {
    await retireSecret();
    await retireSecret(true);
    await retireSecret(true);
    expect(await rows("grants")).toBe(1);
    expect(await reasonOf(reinstateSecret())).toBe(Reason.NOT_FOUND);
    const secrets = [{ secretId: hidden, projectId }];
    expect(await reasonOf(policy.directory.registerResources({ vaultId, secrets }))).toBe(
      Reason.ALREADY_EXISTS,
    );
    expect(await read(hidden)).toBe(Reason.NOT_GRANTED);
    expect(await read(shown)).toBe(Reason.UNSPECIFIED);
  });

  test("is left out of a token's scope, which gives the rest", async () => {
    await retireSecret(true);
    const scope = scopeOf(project, project.secretIds);
    await policy.scope.applyScope(scope);
    expect(await read(shown, scope.machineId)).toBe(Reason.UNSPECIFIED);
    expect(await rows("grants")).toBe(2);
    await retireProject(true);
    const late = scopeOf(project, project.secretIds);
    await policy.scope.applyScope(late);
    expect(await read(shown, late.machineId)).toBe(Reason.NOT_GRANTED);
    expect(await rows("memberships")).toBe(0);
  });

  test("as a project has neither members nor grants left, and is not registered again", async () => {
    await retireProject(true);
    expect([await rows("grants"), await rows("memberships")]).toEqual([0, 0]);
    const projectIds = [projectId];
    const again = policy.directory.registerResources({ vaultId, projectIds });
    expect(await reasonOf(again)).toBe(Reason.ALREADY_EXISTS);
    const back = policy.directory.reinstateResources({ vaultId, projectIds });
    expect(await reasonOf(back)).toBe(Reason.NOT_FOUND);
  });

  test("waits for a grant that is being given, and takes it", async () => {
    await policy.call(owner, removeGrant, { machineId, secretId: hidden });
    const arrive = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    policy.hooks.beforeRecord = async () => {
      arrive.resolve();
      await leave.promise;
    };
    const granting = policy.call(owner, addGrant, { machineId, secretId: hidden });
    await arrive.promise;
    const purging = retireSecret(true);
    const first = await Promise.race([purging.then(() => "purged"), later().then(() => "waiting")]);
    leave.resolve();
    await Promise.all([granting, purging]);
    expect(first).toBe("waiting");
    expect(await rows("grants")).toBe(1);
  });
});

describe("ids of another vault", () => {
  test("are passed over when they are retired, and not found when they are reinstated", async () => {
    const elsewhere = newId("vlt");
    const request = { vaultId: elsewhere, projectIds: [projectId], secretIds: [hidden] };
    await policy.directory.retireResources({ ...request, purged: true });
    expect(await read(hidden)).toBe(Reason.UNSPECIFIED);
    await retireSecret();
    for (const ids of [
      { secretIds: [hidden] },
      { projectIds: [projectId] },
      { secretIds: [newId("sec")] },
    ]) {
      const reinstating = policy.directory.reinstateResources({ vaultId: elsewhere, ...ids });
      expect(await reasonOf(reinstating)).toBe(Reason.NOT_FOUND);
    }
    expect(await read(hidden)).toBe(Reason.NOT_GRANTED);
  });

  test("together with known ones: nothing is reinstated", async () => {
    await retireSecret();
    const secretIds = [hidden, newId("sec")];
    const reinstating = policy.directory.reinstateResources({ vaultId, secretIds });
    expect(await reasonOf(reinstating)).toBe(Reason.NOT_FOUND);
    expect(await read(hidden)).toBe(Reason.NOT_GRANTED);
  });
});

function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}
