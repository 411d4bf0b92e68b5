import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { faults, mend } from "../testing/faults.ts";
import { resetPeers } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  actionsOf,
  addTestProject,
  addTestSecret,
  ageDeletion,
  deleteTestSecret,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

const { getProject, listProjects, deleteProject, restoreProject } = ProjectService.method;
const { listSecrets, restoreSecret } = SecretService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  mend(secrets);
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  resetPeers(secrets.memory);
});

const remove = (name = "payments", user = owner) =>
  secrets.call(user, deleteProject, { projectId, name });
const restore = (user = owner) => secrets.call(user, restoreProject, { projectId });

async function isDeleted(): Promise<boolean> {
  const key = { case: "projectId", value: projectId } as const;
  const { project } = await secrets.call(owner, getProject, { key, showDeleted: true });
  return project?.deletedAt !== undefined;
}

describe("a project", () => {
  test("counts its living secrets", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "A");
    await addTestSecret(secrets, owner, projectId, "B");
    const count = async () => (await secrets.call(owner, listProjects, {})).projects[0]?.secrets;
    expect(await count()).toBe(2);
    await deleteTestSecret(secrets, owner, secretId);
    expect(await count()).toBe(1);
  });
});

describe("DeleteProject", () => {
  test("tells policy, then hides the project, says when it will be gone, and records it", async () => {
    const { project } = await remove();
    if (!project?.deletedAt || !project.purgeAt) throw new Error("not deleted");
    expect(project).toMatchObject({
      projectId,
      name: "payments",
      deletedBy: owner.userId,
      secrets: 0,
    });
    expect(timestampMs(project.purgeAt) - timestampMs(project.deletedAt)).toBe(30 * 86_400_000);
    expect([secrets.memory.told, secrets.memory.retired.has(projectId)]).toEqual([
      ["retire"],
      true,
    ]);
    expect(secrets.memory.events).toMatchObject([
      { action: "project.deleted", projectId, actorId: owner.userId, detail: { name: "payments" } },
    ]);
  });

  test("leaves nothing that finds it, except where deleted ones are asked for", async () => {
    await remove();
    for (const key of [
      { case: "projectId", value: projectId },
      { case: "name", value: "payments" },
    ] as const)
      expect(await reasonOf(secrets.call(owner, getProject, { key }))).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(secrets.call(owner, listSecrets, { projectId }))).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(addTestSecret(secrets, owner, projectId, "A"))).toBe(Reason.NOT_FOUND);
    expect((await secrets.call(owner, listProjects, {})).projects).toEqual([]);
    const { projects } = await secrets.call(owner, listProjects, { showDeleted: true });
    expect(projects).toMatchObject([{ projectId, deletedBy: owner.userId }]);
    const byName = { key: { case: "name", value: "payments" }, showDeleted: true } as const;
    expect(await reasonOf(secrets.call(owner, getProject, byName))).toBe(Reason.FIELD_INVALID);
  });

  test("wants the name repeated", async () => {
    for (const name of ["Payments", "payment", "payments "])
      await expect(remove(name)).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
        metadata: { field: "name" },
      });
    expect([secrets.memory.told, await isDeleted()]).toEqual([[], false]);
  });

  test("is refused while a secret lives in it, and says how many", async () => {
    const ids = [];
    for (const name of ["A", "B"]) ids.push(await addTestSecret(secrets, owner, projectId, name));
    await expect(remove()).rejects.toMatchObject({
      reason: Reason.PROJECT_NOT_EMPTY,
      metadata: { secrets: "2" },
    });
    expect(secrets.memory.told).toEqual([]);
    for (const id of ids) await deleteTestSecret(secrets, owner, id);
    expect(await reasonOf(remove())).toBe(Reason.UNSPECIFIED);
  });

  test("of a deleted one changes nothing and records nothing", async () => {
    const first = await remove();
    expect((await remove("payments", newUser(owner.vaultId))).project).toEqual(first.project);
    expect(actionsOf(secrets)).toEqual(["project.deleted"]);
  });

  test("frees the name at once", async () => {
    await remove();
    expect(await addTestProject(secrets, owner)).not.toBe(projectId);
  });

  test("is for owner and admin, and finds nothing of another vault", async () => {
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    expect(await reasonOf(remove("payments", auditor))).toBe(Reason.ROLE_REQUIRED);
    expect(await reasonOf(remove("payments", newUser()))).toBe(Reason.NOT_FOUND);
    expect(secrets.memory.told).toEqual([]);
    expect(await reasonOf(remove("payments", newUser(owner.vaultId, Role.ADMIN)))).toBe(
      Reason.UNSPECIFIED,
    );
  });
});

describe("RestoreProject", () => {
  test("brings the project back; its deleted secrets stay deleted until each is restored", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "A");
    await deleteTestSecret(secrets, owner, secretId);
    await remove();
    const inDeleted = secrets.call(owner, restoreSecret, { secretId });
    await expect(inDeleted).rejects.toMatchObject({
      reason: Reason.NOT_FOUND,
      metadata: { field: "project_id" },
    });
    const shown = await secrets.call(owner, listSecrets, { projectId, showDeleted: true });
    expect(shown.secrets).toMatchObject([{ secretId }]);
    resetPeers(secrets.memory);

    const { project } = await restore();
    expect(project).toMatchObject({ projectId, name: "payments", secrets: 0, deletedBy: "" });
    expect(secrets.memory.told).toEqual(["reinstate"]);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "project.restored",
        projectId,
        actorId: owner.userId,
        detail: { name: "payments" },
      },
    ]);
    expect([...secrets.memory.retired]).toContain(secretId);
    expect((await secrets.call(owner, listSecrets, { projectId })).secrets).toEqual([]);
    expect(await reasonOf(secrets.call(owner, restoreSecret, { secretId }))).toBe(
      Reason.UNSPECIFIED,
    );
  });

  test("of a living one changes nothing and records nothing", async () => {
    await restore();
    expect([actionsOf(secrets), secrets.memory.told]).toEqual([[], ["reinstate"]]);
  });

  test("is refused while another bears the name", async () => {
    await remove();
    await addTestProject(secrets, owner);
    await expect(restore()).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "name" },
    });
    expect(await isDeleted()).toBe(true);
  });

  test("is over after 30 days", async () => {
    await remove();
    await ageDeletion(secrets, projectId);
    expect(await reasonOf(restore())).toBe(Reason.NOT_FOUND);
    expect((await secrets.call(owner, listProjects, { showDeleted: true })).projects).toEqual([]);
  });

  test("is for owner and admin, and finds nothing of another vault", async () => {
    await remove();
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    expect(await reasonOf(restore(auditor))).toBe(Reason.ROLE_REQUIRED);
    expect(await reasonOf(restore(newUser()))).toBe(Reason.NOT_FOUND);
  });
});

describe.each(faults)("when $name", ({ cause }) => {
  const changes = [
    { name: "a delete", prepare: () => Promise.resolve(), change: remove, deleted: true },
    { name: "a restore", prepare: remove, change: restore, deleted: false },
  ];
  test.each(changes)("$name is not acknowledged; a later one finishes it", async (step) => {
    await step.prepare();
    cause(secrets);
    expect(await reasonOf(step.change())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    mend(secrets);
    await step.change();
    expect([await isDeleted(), secrets.memory.retired.has(projectId)]).toEqual([
      step.deleted,
      step.deleted,
    ]);
  });

  test.each(changes)("$name that nobody repeats is settled", async (step) => {
    await step.prepare();
    cause(secrets);
    expect(await reasonOf(step.change())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    mend(secrets);
    await secrets.liveness.settleAll();
    expect(secrets.memory.retired.has(projectId)).toBe(await isDeleted());
  });
});
