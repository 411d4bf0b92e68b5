import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  countRows,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

const { addGrant, removeGrant, listGrantsByMachine, listGrantsBySecret } = GrantService.method;
const { addMembership, removeMembership, listMemberships } = MembershipService.method;

let policy: TestPolicy;
let project: TestProject;
let owner: SigningUser;
let stranger: SigningUser;
let machineId: string;
let secretId: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.audit.down = false;
  project = await addTestProject(policy, 3);
  owner = newUser(project.vaultId);
  stranger = newUser();
  const scope = scopeOf(project, []);
  await policy.scope.applyScope(scope);
  machineId = scope.machineId;
  [secretId = ""] = project.secretIds;
  policy.audit.events.length = 0;
});

const refusal = () => refusalOfRead(policy, project.vaultId, machineId, secretId);

describe("grants", () => {
  test("added, the machine reads; removed, it does not; both are recorded with who, where from and which request", async () => {
    expect(await refusal()).toBe(Reason.NOT_GRANTED);
    policy.audit.events.length = 0;
    const { grant } = await policy.call(owner, addGrant, { machineId, secretId });
    expect(grant).toMatchObject({
      machineId,
      secretId,
      projectId: project.projectId,
      createdBy: owner.userId,
    });
    expect(await refusal()).toBe(Reason.UNSPECIFIED);
    await policy.call(owner, removeGrant, { machineId, secretId });
    expect(policy.audit.events).toMatchObject(
      ["grant.added", "grant.removed"].map((action) => ({
        action,
        actorId: owner.userId,
        vaultId: project.vaultId,
        projectId: project.projectId,
        machineId,
        secretId,
        sourceIp: "192.0.2.7",
        client: "sallyport-cli/0.1.0",
      })),
    );
    expect(policy.audit.events.every(({ requestDigest }) => requestDigest.length === 32)).toBe(
      true,
    );
    expect(await refusal()).toBe(Reason.NOT_GRANTED);
  });

  test("added twice are no error and one record", async () => {
    const first = await policy.call(owner, addGrant, { machineId, secretId });
    const second = await policy.call(newUser(project.vaultId), addGrant, { machineId, secretId });
    expect(second.grant).toEqual(first.grant);
    expect(policy.audit.events.length).toBe(1);
  });

  test("added again with another reach are changed, and that is recorded; giver and time stay", async () => {
    const { grant: given } = await policy.call(owner, addGrant, { machineId, secretId });
    expect(given?.anyVersion).toBe(false);
    const admin = newUser(project.vaultId, Role.ADMIN);
    const { grant } = await policy.call(admin, addGrant, { machineId, secretId, anyVersion: true });
    expect(grant).toEqual({ ...given, anyVersion: true });
    await policy.call(admin, addGrant, { machineId, secretId, anyVersion: true });
    await policy.call(owner, addGrant, { machineId, secretId });
    const { projectId } = project;
    expect(policy.audit.events).toMatchObject([
      { action: "grant.added", actorId: owner.userId, detail: { any_version: "false" } },
      {
        action: "grant.changed",
        actorId: admin.userId,
        machineId,
        secretId,
        projectId,
        detail: { any_version: "true" },
      },
      { action: "grant.changed", actorId: owner.userId, detail: { any_version: "false" } },
    ]);
  });

  test("without a membership are refused", async () => {
    await policy.call(owner, removeMembership, { machineId, projectId: project.projectId });
    expect(await reasonOf(policy.call(owner, addGrant, { machineId, secretId }))).toBe(
      Reason.NOT_FOUND,
    );
  });

  test("do not cross vaults", async () => {
    const other = await addTestProject(policy, 1, stranger.vaultId);
    const scope = scopeOf(other, []);
    await policy.scope.applyScope(scope);
    const [theirs = ""] = other.secretIds;
    await policy.call(owner, addGrant, { machineId, secretId });
    const grants = await countRows(policy.database, "grants");
    const calls = [
      policy.call(stranger, addGrant, { machineId, secretId }),
      policy.call(stranger, removeGrant, { machineId, secretId }),
      policy.call(owner, addGrant, { machineId, secretId: theirs }),
      policy.call(owner, addGrant, { machineId: scope.machineId, secretId }),
      policy.call(stranger, listGrantsByMachine, { machineId }),
      policy.call(stranger, listGrantsBySecret, { secretId }),
    ];
    expect(await Promise.all(calls.map(reasonOf))).toEqual(calls.map(() => Reason.NOT_FOUND));
    expect(await countRows(policy.database, "grants")).toBe(grants);
  });

  test("are listed by machine and by secret, in pages", async () => {
    for (const id of project.secretIds)
      await policy.call(owner, addGrant, { machineId, secretId: id });
    const first = await policy.call(owner, listGrantsByMachine, { machineId, pageSize: 2 });
    const pageToken = first.nextPageToken;
    const rest = await policy.call(owner, listGrantsByMachine, {
      machineId,
      pageSize: 2,
      pageToken,
    });
    expect([...first.grants, ...rest.grants].map((grant) => grant.secretId)).toEqual(
      project.secretIds,
    );
    expect(rest.nextPageToken).toBe("");
    const bySecret = await policy.call(owner, listGrantsBySecret, { secretId });
    expect(bySecret.grants.map((grant) => grant.machineId)).toEqual([machineId]);
  });
});

describe("memberships", () => {
  test("removed take the grants of that project with them", async () => {
    await policy.call(owner, addGrant, { machineId, secretId });
    const removed = await policy.call(owner, removeMembership, {
      machineId,
      projectId: project.projectId,
    });
    expect(removed.grantsRemoved).toBe(1);
    expect(await refusal()).toBe(Reason.NOT_GRANTED);
    const record = policy.audit.events.find(({ action }) => action === "membership.removed");
    expect(record).toMatchObject({
      detail: { grants: "1" },
      machineId,
      projectId: project.projectId,
    });
    await policy.call(owner, addMembership, { machineId, projectId: project.projectId });
    expect(await refusal()).toBe(Reason.NOT_GRANTED);
  });

  test("do not cross vaults", async () => {
    const { projectId } = project;
    const theirs = await addTestProject(policy, 0, stranger.vaultId);
    const calls = [
      policy.call(stranger, addMembership, { machineId, projectId }),
      policy.call(stranger, removeMembership, { machineId, projectId }),
      policy.call(owner, addMembership, { machineId, projectId: theirs.projectId }),
      policy.call(owner, addMembership, { machineId: newId("mch"), projectId }),
      policy.call(stranger, listMemberships, { projectId }),
    ];
    expect(await Promise.all(calls.map(reasonOf))).toEqual(calls.map(() => Reason.NOT_FOUND));
  });

  test("are listed in pages", async () => {
    const others = [scopeOf(project, []), scopeOf(project, [])];
    for (const scope of others) await policy.scope.applyScope(scope);
    const { projectId } = project;
    const first = await policy.call(owner, listMemberships, { projectId, pageSize: 2 });
    const pageToken = first.nextPageToken;
    const rest = await policy.call(owner, listMemberships, { projectId, pageSize: 2, pageToken });
    const expected = [machineId, ...others.map((scope) => scope.machineId)].sort();
    expect(
      [...first.memberships, ...rest.memberships].map((membership) => membership.machineId),
    ).toEqual(expected);
  });
});

describe("every change", () => {
  test("is refused when its request comes again", async () => {
    const request = policy.deployment.forwardRequest(owner, addGrant, { machineId, secretId });
    expect((await policy.forwarding.forward(request)).result.case).toBe("response");
    await policy.call(owner, removeGrant, { machineId, secretId });
    const { result } = await policy.forwarding.forward(request);
    expect(result.case === "refusal" ? result.value.reason : undefined).toBe(
      Reason.REQUEST_REJECTED,
    );
    expect(await refusal()).toBe(Reason.NOT_GRANTED);
  });

  test("needs owner or admin, or a manager of the project", async () => {
    const auditor = newUser(project.vaultId, Role.AUDITOR);
    const developer = newUser(project.vaultId, Role.DEVELOPER);
    const refusalFor = (user: SigningUser) =>
      reasonOf(policy.call(user, addGrant, { machineId, secretId }));
    expect(await refusalFor(auditor)).toBe(Reason.ROLE_REQUIRED);
    expect(await refusalFor(developer)).toBe(Reason.PROJECT_ROLE_REQUIRED);
    const admin = newUser(project.vaultId, Role.ADMIN);
    expect(await reasonOf(policy.call(admin, addGrant, { machineId, secretId }))).toBe(
      Reason.UNSPECIFIED,
    );
  });

  test("is answered only once the log has its record", async () => {
    policy.audit.down = true;
    const change = policy.call(owner, addGrant, { machineId, secretId });
    expect(await reasonOf(change)).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    policy.audit.down = false;
    await policy.call(owner, addGrant, { machineId, secretId });
    expect(policy.audit.events.map(({ action }) => action)).toEqual(["grant.added"]);
  });
});
