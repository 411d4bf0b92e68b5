import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  countRows,
  giveRole,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

let policy: TestPolicy;
let project: TestProject;
let foreign: TestProject;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.audit.down = false;
  project = await addTestProject(policy, 2);
  foreign = await addTestProject(policy, 1);
  policy.audit.events.length = 0;
});

async function mayRead(machineId: string, secretId: string): Promise<boolean> {
  return (await refusalOfRead(policy, project.vaultId, machineId, secretId)) === Reason.UNSPECIFIED;
}

const maker = { userId: newId("usr"), role: Role.ADMIN };

describe("ValidateScope", () => {
  test("takes what the vault has", async () => {
    const { vaultId, projectId, secretIds } = project;
    const scope = { ...maker, vaultId, projectIds: [projectId], secretIds: [...secretIds] };
    expect(await reasonOf(policy.scope.validateScope(scope))).toBe(Reason.UNSPECIFIED);
  });

  test("does not find what another vault has", async () => {
    const { vaultId, projectId } = project;
    const ofProject = { ...maker, vaultId, projectIds: [foreign.projectId], secretIds: [] };
    const ofSecret = {
      ...maker,
      vaultId,
      projectIds: [projectId],
      secretIds: [...foreign.secretIds],
    };
    expect(await reasonOf(policy.scope.validateScope(ofProject))).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(policy.scope.validateScope(ofSecret))).toBe(Reason.NOT_FOUND);
  });

  test("refuses a secret whose project is not among the projects", async () => {
    const { vaultId, projectId } = project;
    const other = await addTestProject(policy, 1, vaultId);
    const scope = { ...maker, vaultId, projectIds: [projectId], secretIds: [...other.secretIds] };
    expect(await reasonOf(policy.scope.validateScope(scope))).toBe(Reason.FIELD_INVALID);
  });

  test("tells a developer's roles, and hides what is hidden from the developer", async () => {
    const { vaultId, projectId, secretIds } = project;
    const hidden = await addTestProject(policy, 1, vaultId);
    const { userId } = newUser(vaultId, Role.DEVELOPER);
    await giveRole(policy, vaultId, { userId, projectId, role: ProjectRole.MANAGER });
    await giveRole(policy, vaultId, {
      userId,
      projectId: hidden.projectId,
      role: ProjectRole.NONE,
    });
    const ask = (projectIds: string[], ofSecrets: readonly string[]) => {
      const developer = { vaultId, userId, role: Role.DEVELOPER };
      return policy.scope.validateScope({ ...developer, projectIds, secretIds: [...ofSecrets] });
    };
    const { projectRoles } = await ask([projectId], secretIds);
    expect(projectRoles).toEqual([ProjectRole.MANAGER]);
    const told = async (call: Promise<unknown>) =>
      call.then(String, (error: unknown) => JSON.stringify(failureOf(error).metadata));
    const absent = [ask([newId("prj")], []), ask([projectId], [newId("sec")])].map(told);
    const hiding = [ask([hidden.projectId], []), ask([projectId], hidden.secretIds)].map(told);
    expect(await Promise.all(hiding)).toEqual(await Promise.all(absent));
  });
});

describe("ApplyScope", () => {
  test("records each membership and grant with the token and its maker", async () => {
    const scope = { ...scopeOf(project, project.secretIds), anyVersion: true };
    await policy.scope.applyScope(scope);
    const { vaultId, projectId, secretIds } = project;
    const { machineId, createdBy: actorId, tokenId: token_id } = scope;
    const record = { vaultId, machineId, actorId, detail: { token_id } };
    const actions = policy.audit.events.map(({ action }) => action).sort();
    expect(actions).toEqual(["grant.added", "grant.added", "membership.added"]);
    for (const event of policy.audit.events) expect(event).toMatchObject({ ...record, projectId });
    expect(policy.audit.events.map(({ secretId }) => secretId).sort()).toEqual(["", ...secretIds]);
    const grants = policy.audit.events.filter(({ action }) => action === "grant.added");
    for (const { detail } of grants) expect(detail["any_version"]).toBe("true");
  });

  test("gives what the token's maker could grant now, and leaves out the rest", async () => {
    const { vaultId, projectId } = project;
    const other = await addTestProject(policy, 1, vaultId);
    const createdBy = newId("usr");
    await giveRole(policy, vaultId, { userId: createdBy, projectId, role: ProjectRole.MANAGER });
    const ids = [projectId, other.projectId];
    const apply = async () => {
      const secretIds = [...project.secretIds, ...other.secretIds];
      const scope = { ...scopeOf(project, secretIds), projectIds: ids, createdBy };
      await policy.scope.applyScope({ ...scope, createdByRole: Role.DEVELOPER });
      const reads = [project, other].map(({ secretIds: [id = ""] }) =>
        mayRead(scope.machineId, id),
      );
      return Promise.all(reads);
    };
    expect(await apply()).toEqual([true, false]);
    await policy.roles.endUser({ vaultId, userId: createdBy });
    expect(await apply()).toEqual([false, false]);
  });

  test("repeated, at once or later, changes and records nothing", async () => {
    const scope = scopeOf(project, project.secretIds);
    await Promise.all([policy.scope.applyScope(scope), policy.scope.applyScope(scope)]);
    const [memberships, grants] = [
      await countRows(policy.database, "memberships"),
      await countRows(policy.database, "grants"),
    ];
    const records = policy.audit.events.length;
    await policy.scope.applyScope(scope);
    expect(await countRows(policy.database, "memberships")).toBe(memberships);
    expect(await countRows(policy.database, "grants")).toBe(grants);
    expect(records).toBe(3);
    expect(policy.audit.events.length).toBe(records);
  });

  test("repeated at the same instant, again and again, is never an error", async () => {
    for (let round = 0; round < 40; round += 1) {
      const scope = scopeOf(project, []);
      const repeats = Array.from({ length: 8 }, () => policy.scope.applyScope(scope));
      await expect(Promise.all(repeats)).resolves.toHaveLength(8);
    }
  });

  test("repeated after a revocation gives nothing back", async () => {
    const scope = scopeOf(project, project.secretIds);
    const { vaultId, machineId } = scope;
    await policy.scope.applyScope(scope);
    const before = await countRows(policy.database, "memberships");
    await policy.scope.setPrincipalStatus({ vaultId, machineId, status: PrincipalStatus.REVOKED });
    await policy.scope.applyScope(scope);
    expect(await countRows(policy.database, "memberships")).toBe(before - 1);
    expect(await mayRead(machineId, scope.secretIds[0] ?? "")).toBe(false);
  });

  test("of a machine of another vault or token is refused", async () => {
    const scope = scopeOf(project, []);
    await policy.scope.applyScope(scope);
    const moved = { ...scopeOf(foreign, []), machineId: scope.machineId };
    expect(await reasonOf(policy.scope.applyScope(moved))).toBe(Reason.ALREADY_EXISTS);
    expect(await reasonOf(policy.scope.applyScope({ ...scope, tokenId: newId("tok") }))).toBe(
      Reason.ALREADY_EXISTS,
    );
  });

  test("with anything unknown leaves nothing behind, not even the machine", async () => {
    const scope = {
      ...scopeOf(project, project.secretIds),
      projectIds: [project.projectId, foreign.projectId],
    };
    expect(await reasonOf(policy.scope.applyScope(scope))).toBe(Reason.NOT_FOUND);
    const { vaultId, machineId } = scope;
    const status = PrincipalStatus.ACTIVE;
    expect(await reasonOf(policy.scope.setPrincipalStatus({ vaultId, machineId, status }))).toBe(
      Reason.NOT_FOUND,
    );
  });

  test("answers only when the log has the records; a repeat delivers them", async () => {
    const scope = scopeOf(project, project.secretIds);
    policy.audit.down = true;
    expect(await reasonOf(policy.scope.applyScope({ ...scope }))).toBe(
      Reason.DEPENDENCY_UNAVAILABLE,
    );
    policy.audit.down = false;
    await policy.scope.applyScope(scope);
    expect(policy.audit.events.length).toBe(3);
    expect(await countRows(policy.database, "outbox")).toBe(0);
  });
});

describe("SetPrincipalStatus", () => {
  test("revoking takes memberships and grants, and is for good", async () => {
    const scope = scopeOf(project, project.secretIds);
    const { vaultId, machineId } = scope;
    const [memberships, grants] = [
      await countRows(policy.database, "memberships"),
      await countRows(policy.database, "grants"),
    ];
    await policy.scope.applyScope(scope);
    await policy.scope.setPrincipalStatus({ vaultId, machineId, status: PrincipalStatus.REVOKED });
    expect(await countRows(policy.database, "memberships")).toBe(memberships);
    expect(await countRows(policy.database, "grants")).toBe(grants);
    const again = { vaultId, machineId, status: PrincipalStatus.ACTIVE };
    expect(await reasonOf(policy.scope.setPrincipalStatus(again))).toBe(Reason.NOT_FOUND);
    expect(
      await reasonOf(
        policy.scope.setPrincipalStatus({ ...again, status: PrincipalStatus.REVOKED }),
      ),
    ).toBe(Reason.UNSPECIFIED);
  });

  test("does not find a machine under another vault", async () => {
    const scope = scopeOf(project, project.secretIds);
    await policy.scope.applyScope(scope);
    const status = PrincipalStatus.REVOKED;
    const other = { vaultId: foreign.vaultId, machineId: scope.machineId, status };
    expect(await reasonOf(policy.scope.setPrincipalStatus(other))).toBe(Reason.NOT_FOUND);
    expect(await mayRead(scope.machineId, scope.secretIds[0] ?? "")).toBe(true);
  });
});

describe("RegisterResources", () => {
  test("repeated changes nothing; another place is refused", async () => {
    const { vaultId, projectId, secretIds } = project;
    const [secretId = ""] = secretIds;
    const other = await addTestProject(policy, 0, vaultId);
    const register = (
      secrets: { secretId: string; projectId: string }[],
      vault = vaultId,
      projectIds: string[] = [],
    ) => reasonOf(policy.directory.registerResources({ vaultId: vault, projectIds, secrets }));
    expect(await register([{ secretId, projectId }], vaultId, [projectId])).toBe(
      Reason.UNSPECIFIED,
    );
    expect(await register([{ secretId, projectId: other.projectId }])).toBe(Reason.ALREADY_EXISTS);
    expect(await register([{ secretId, projectId: foreign.projectId }], foreign.vaultId)).toBe(
      Reason.ALREADY_EXISTS,
    );
    expect(await register([], foreign.vaultId, [projectId])).toBe(Reason.ALREADY_EXISTS);
  });

  test("repeated at the same instant, again and again, is never an error", async () => {
    const { vaultId } = project;
    for (let round = 0; round < 40; round += 1) {
      const projectId = newId("prj");
      const request = {
        vaultId,
        projectIds: [projectId],
        secrets: [{ secretId: newId("sec"), projectId }],
      };
      const repeats = Array.from({ length: 8 }, () => policy.directory.registerResources(request));
      await expect(Promise.all(repeats)).resolves.toHaveLength(8);
    }
  });

  test("puts no secret into a project of another vault, or of none", async () => {
    const secretId = newId("sec");
    const before = await countRows(policy.database, "secrets");
    for (const projectId of [foreign.projectId, newId("prj")]) {
      const request = { vaultId: project.vaultId, secrets: [{ secretId, projectId }] };
      expect(await reasonOf(policy.directory.registerResources(request))).toBe(Reason.NOT_FOUND);
    }
    expect(await countRows(policy.database, "secrets")).toBe(before);
  });
});
