import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  countRows,
  giveRole,
  reasonOf,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

const { NONE, LISTER, WRITER, MANAGER } = ProjectRole;
const { addGrant, removeGrant, setGrants, listGrantsBySecret } = GrantService.method;
const { addMembership, removeMembership, listMemberships } = MembershipService.method;
const {
  setProjectRole,
  removeProjectRole,
  listProjectRoles,
  listProjectRolesByUser,
  listOwnProjectRoles,
  countProjectRoles,
} = ProjectRoleService.method;

let policy: TestPolicy;
let project: TestProject;
let vaultId: string;
let projectId: string;
let secretId: string;
let machineId: string;
let owner: SigningUser;
let developer: SigningUser;
let userId: string;
let subject: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.audit.down = false;
  project = await addTestProject(policy, 2);
  ({ vaultId, projectId } = project);
  [secretId = ""] = project.secretIds;
  const scope = scopeOf(project, [secretId]);
  machineId = scope.machineId;
  await policy.scope.applyScope(scope);
  owner = newUser(vaultId);
  developer = newUser(vaultId, Role.DEVELOPER);
  userId = developer.userId;
  subject = newId("usr");
  policy.audit.events.length = 0;
});

const set = (role: ProjectRole, by = owner) =>
  policy.call(by, setProjectRole, { userId, projectId, role });
const remove = (by = owner) => policy.call(by, removeProjectRole, { userId, projectId });
const check = async (
  role: Role = Role.DEVELOPER,
  projectIds = [projectId],
  secretIds = [secretId],
) => {
  const answer = await policy.roles.checkRoles({ vaultId, userId, role, projectIds, secretIds });
  return [...answer.projectRoles, ...answer.secretRoles];
};
const recorded = () =>
  policy.audit.events.map(({ action, subjectId, actorId, detail }) => [
    action,
    subjectId,
    actorId,
    detail,
  ]);

describe("a role", () => {
  test("is set, changed and taken back, each with one record, and holds at once", async () => {
    expect(await check()).toEqual([LISTER, LISTER]);
    const { projectRole } = await set(WRITER);
    expect(projectRole).toMatchObject({ userId, projectId, role: WRITER, updatedBy: owner.userId });
    expect(await check()).toEqual([WRITER, WRITER]);
    await set(WRITER);
    await set(NONE);
    expect(await check()).toEqual([NONE, NONE]);
    await remove();
    expect(await check()).toEqual([LISTER, LISTER]);
    expect(await reasonOf(remove())).toBe(Reason.NOT_FOUND);
    const about = (action: string, detail: object) => [action, userId, owner.userId, detail];
    expect(recorded()).toEqual([
      about("project_role.set", { role: "writer" }),
      about("project_role.set", { role: "none", former_role: "writer" }),
      about("project_role.removed", { former_role: "none" }),
    ]);
  });

  test("changes nothing for owner, admin and auditor", async () => {
    await set(NONE);
    expect(await check(Role.OWNER)).toEqual([MANAGER, MANAGER]);
    expect(await check(Role.ADMIN)).toEqual([MANAGER, MANAGER]);
    expect(await check(Role.AUDITOR)).toEqual([LISTER, LISTER]);
    await set(MANAGER);
    expect(await check(Role.AUDITOR)).toEqual([LISTER, LISTER]);
  });

  test("is none in what the vault does not have, whatever the role in the vault", async () => {
    const other = await addTestProject(policy, 1);
    for (const role of [Role.OWNER, Role.DEVELOPER]) {
      expect(await check(role, [other.projectId], [...other.secretIds])).toEqual([NONE, NONE]);
      expect(await check(role, [newId("prj")], [newId("sec")])).toEqual([NONE, NONE]);
    }
    await policy.directory.retireResources({ vaultId, projectIds: [projectId] });
    expect(await check()).toEqual([LISTER, LISTER]);
    await policy.directory.retireResources({ vaultId, projectIds: [projectId], purged: true });
    expect(await check(Role.OWNER)).toEqual([NONE, MANAGER]);
  });

  test("stays in its vault, though the same user were known in another", async () => {
    const other = await addTestProject(policy, 1);
    await giveRole(policy, other.vaultId, { userId, projectId: other.projectId, role: MANAGER });
    expect(await check(Role.DEVELOPER, [other.projectId], [])).toEqual([NONE]);
    expect(
      await reasonOf(policy.call(owner, setProjectRole, { ...other, userId, role: WRITER })),
    ).toBe(Reason.NOT_FOUND);
  });

  test("is answered only once the log has its record", async () => {
    policy.audit.down = true;
    expect(await reasonOf(set(WRITER))).toBe(Reason.DEPENDENCY_UNAVAILABLE);
  });

  test("goes with the project when that is purged, and stays while it is only deleted", async () => {
    await set(WRITER);
    await policy.directory.retireResources({ vaultId, projectIds: [projectId] });
    expect(await reasonOf(set(MANAGER))).toBe(Reason.NOT_FOUND);
    await policy.directory.reinstateResources({ vaultId, projectIds: [projectId] });
    expect(await check()).toEqual([WRITER, WRITER]);
    const before = await countRows(policy.database, "project_roles");
    await policy.directory.retireResources({ vaultId, projectIds: [projectId], purged: true });
    expect(await countRows(policy.database, "project_roles")).toBe(before - 1);
  });
});

describe("a removed user", () => {
  test("loses every role, gets no other, and is refused whatever the role in the vault", async () => {
    await set(MANAGER);
    await policy.roles.endUser({ vaultId, userId });
    await policy.roles.endUser({ vaultId, userId });
    expect(await reasonOf(check())).toBe(Reason.MACHINE_DISABLED);
    expect(await reasonOf(check(Role.OWNER))).toBe(Reason.MACHINE_DISABLED);
    const listed = policy.roles.listRoles({ vaultId, userId, role: Role.DEVELOPER });
    expect(await reasonOf(listed)).toBe(Reason.MACHINE_DISABLED);
    await expect(set(WRITER)).rejects.toMatchObject({ metadata: { field: "user_id" } });
    // A credential may be a minute old: an owner who was removed grants nothing with it.
    const removed = { ...developer, role: Role.OWNER };
    const grant = policy.call(removed, addGrant, { machineId, secretId });
    expect(await reasonOf(grant)).toBe(Reason.MACHINE_DISABLED);
    expect((await policy.call(owner, listProjectRoles, { projectId })).projectRoles).toEqual([]);
  });
});

type Place = { readonly projectId: string; readonly secretId: string };

// What a manager of the project may do besides owner and admin.
const managing: readonly {
  readonly name: string;
  readonly run: (by: SigningUser, place: Place) => Promise<unknown>;
}[] = [
  {
    name: "SetProjectRole",
    run: (by, place) =>
      policy.call(by, setProjectRole, { userId: subject, ...place, role: MANAGER }),
  },
  {
    name: "RemoveProjectRole",
    run: (by, place) => policy.call(by, removeProjectRole, { userId: subject, ...place }),
  },
  { name: "ListProjectRoles", run: (by, place) => policy.call(by, listProjectRoles, place) },
  { name: "AddGrant", run: (by, place) => policy.call(by, addGrant, { machineId, ...place }) },
  {
    name: "RemoveGrant",
    run: (by, place) => policy.call(by, removeGrant, { machineId, ...place }),
  },
  {
    name: "SetGrants",
    run: (by, place) =>
      policy.call(by, setGrants, { machineId, ...place, secretIds: [place.secretId] }),
  },
  { name: "ListGrantsBySecret", run: (by, place) => policy.call(by, listGrantsBySecret, place) },
  {
    name: "AddMembership",
    run: (by, place) => policy.call(by, addMembership, { machineId, ...place }),
  },
  { name: "ListMemberships", run: (by, place) => policy.call(by, listMemberships, place) },
  {
    name: "RemoveMembership",
    run: (by, place) => policy.call(by, removeMembership, { machineId, ...place }),
  },
];

describe.each(managing)("$name", ({ run }) => {
  const told = (place: Place = { projectId, secretId }) =>
    run(developer, place).then(
      () => "done",
      (error: unknown) => {
        const { reason, metadata } = failureOf(error);
        return JSON.stringify({ reason, metadata });
      },
    );
  const missing = JSON.stringify({
    reason: Reason.PROJECT_ROLE_REQUIRED,
    metadata: { project_role: "manager" },
  });

  test("needs a manager of the project, and does not tell a hidden project from none", async () => {
    await giveRole(policy, vaultId, { userId: subject, projectId, role: LISTER });
    expect(await told()).toBe(missing);
    await set(WRITER);
    expect(await told()).toBe(missing);
    await set(NONE);
    const nowhere = await told({ projectId: newId("prj"), secretId: newId("sec") });
    expect(await told()).toBe(nowhere);
    expect(nowhere).toContain(`"reason":${Reason.NOT_FOUND}`);
    await set(MANAGER);
    expect(await told()).toBe("done");
  });
});

describe("the lists", () => {
  test("page through a project's roles and a user's, and hide what is hidden from their user", async () => {
    const others = await Promise.all([1, 2].map(() => addTestProject(policy, 0, vaultId)));
    const [second, third] = others.map((other) => other.projectId);
    await set(WRITER);
    await giveRole(policy, vaultId, { userId, projectId: second ?? "", role: NONE });
    await giveRole(policy, vaultId, { userId, projectId: third ?? "", role: MANAGER });
    const all = [projectId, second ?? "", third ?? ""].toSorted();
    const seen: string[] = [];
    let pageToken = "";
    do {
      const request = { userId, pageSize: 1, pageToken };
      const page = await policy.call(owner, listProjectRolesByUser, request);
      seen.push(...page.projectRoles.map((one) => one.projectId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(all);
    const own = await policy.call(developer, listOwnProjectRoles, {});
    expect(own.projectRoles.map((one) => one.projectId)).toEqual(
      [projectId, third ?? ""].toSorted(),
    );
    const { roles } = await policy.roles.listRoles({ vaultId, userId, role: Role.DEVELOPER });
    expect(roles.find((one) => one.projectId === second)?.role).toBe(NONE);
    expect((await policy.roles.listRoles({ vaultId, userId, role: Role.ADMIN })).roles).toEqual([]);
    const userIds = [newId("usr"), userId];
    const { counts } = await policy.call(owner, countProjectRoles, { userIds });
    expect(counts).toMatchObject([
      { userId: userIds[0], hidden: 0, lister: 0, writer: 0, manager: 0 },
      { userId, hidden: 1, lister: 0, writer: 1, manager: 1 },
    ]);
  });

  test("hold 1,000 roles for a project, and for a user, and no more", async () => {
    const fill = (users: string, projects: string) =>
      policy.database.query(
        `insert into project_roles (user_id, project_id, vault_id, role, updated_by, updated_at)
         select ${users}, ${projects}, $1, 'lister', 'usr', now() from generate_series(1, 999) n`,
        [vaultId],
      );
    await fill("'usr_' || n", `'${projectId}'`);
    await set(WRITER);
    const next = policy.call(owner, setProjectRole, {
      userId: newId("usr"),
      projectId,
      role: WRITER,
    });
    await expect(next).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "project_id" },
    });
    await set(MANAGER);
    await policy.database.query(
      "insert into projects (project_id, vault_id) select 'prj_' || $1 || n, $1 from generate_series(1, 999) n",
      [vaultId],
    );
    await fill(`'${userId}'`, "'prj_' || $1 || n");
    const elsewhere = await addTestProject(policy, 0, vaultId);
    const more = giveRole(policy, vaultId, {
      userId,
      projectId: elsewhere.projectId,
      role: LISTER,
    });
    await expect(more).rejects.toMatchObject({ metadata: { field: "user_id" } });
  });
});
