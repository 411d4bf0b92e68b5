import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  addTestProject,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

const { createProject, getProject, listProjects } = ProjectService.method;

let secrets: TestSecrets;
let owner: SigningUser;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(() => {
  owner = newUser();
  const { events, registered, down } = secrets.memory;
  events.length = 0;
  registered.length = 0;
  Object.assign(down, { audit: false, crypto: false, policy: false });
});

async function stored(name: string): Promise<number> {
  const rows = await secrets.database.query(
    "select 1 as one from projects where vault_id = $1 and name = $2",
    [owner.vaultId, name],
  );
  return rows.length;
}

describe("CreateProject", () => {
  test("keeps the wrapped key, is registered at policy, and is recorded", async () => {
    const { project } = await secrets.call(owner, createProject, { name: "payments" });
    expect(project).toMatchObject({ name: "payments", createdBy: owner.userId });
    const projectId = project?.projectId;
    const keys = await secrets.database.query(
      "select generation, wrapped_key from project_keys where project_id = $1",
      [projectId],
    );
    expect(keys).toEqual([{ generation: 1, wrapped_key: Buffer.from(`key ${projectId} 1`) }]);
    expect(secrets.memory.registered).toMatchObject([
      { vaultId: owner.vaultId, projectIds: [projectId], secrets: [] },
    ]);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "project.created",
        projectId,
        vaultId: owner.vaultId,
        actorId: owner.userId,
        sourceIp: "192.0.2.7",
        client: "sallyport-cli/0.1.0",
      },
    ]);
  });

  test("refuses a name that the vault has, also of two at once; another vault may have it", async () => {
    const calls = [1, 2, 3].map(() =>
      reasonOf(secrets.call(owner, createProject, { name: "payments" })),
    );
    const reasons = await Promise.all(calls);
    expect(reasons.filter((reason) => reason === Reason.UNSPECIFIED).length).toBe(1);
    expect(reasons.filter((reason) => reason === Reason.ALREADY_EXISTS).length).toBe(2);
    expect(await reasonOf(secrets.call(newUser(), createProject, { name: "payments" }))).toBe(
      Reason.UNSPECIFIED,
    );
  });

  test.each(["crypto", "policy", "audit"] as const)(
    "waits for %s: without it nothing is answered",
    async (peer) => {
      secrets.memory.down[peer] = true;
      const reason = await reasonOf(secrets.call(owner, createProject, { name: "payments" }));
      expect(reason).toBe(Reason.DEPENDENCY_UNAVAILABLE);
      // Audit alone is asked after the commit: the record waits in the outbox.
      expect(await stored("payments")).toBe(peer === "audit" ? 1 : 0);
    },
  );

  test("needs owner or admin", async () => {
    const developer = newUser(owner.vaultId, Role.DEVELOPER);
    expect(await reasonOf(secrets.call(developer, createProject, { name: "payments" }))).toBe(
      Reason.ROLE_REQUIRED,
    );
  });

  test("is refused when its request comes again, before a key is made", async () => {
    const request = secrets.deployment.forwardRequest(owner, createProject, { name: "payments" });
    await secrets.forwarding.forward(request);
    const { result } = await secrets.forwarding.forward(request);
    expect(result.case === "refusal" ? result.value.reason : undefined).toBe(
      Reason.REQUEST_REJECTED,
    );
    expect(secrets.memory.registered.length).toBe(1);
  });
});

describe("GetProject and ListProjects", () => {
  test("find by id and by name, in the caller's vault only", async () => {
    const projectId = await addTestProject(secrets, owner);
    const byId = { key: { case: "projectId", value: projectId } } as const;
    const byName = { key: { case: "name", value: "payments" } } as const;
    for (const request of [byId, byName]) {
      expect((await secrets.call(owner, getProject, request)).project?.projectId).toBe(projectId);
      expect(await reasonOf(secrets.call(newUser(), getProject, request))).toBe(Reason.NOT_FOUND);
    }
    expect((await secrets.call(newUser(), listProjects, {})).projects).toEqual([]);
  });

  test("page by name", async () => {
    for (const name of ["beta", "alpha", "Zeta"]) await addTestProject(secrets, owner, name);
    const first = await secrets.call(owner, listProjects, { pageSize: 2 });
    const rest = await secrets.call(owner, listProjects, {
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect([...first.projects, ...rest.projects].map(({ name }) => name)).toEqual([
      "Zeta",
      "alpha",
      "beta",
    ]);
    expect(rest.nextPageToken).toBe("");
  });

  test("refuse a token that no listing gave", async () => {
    const call = secrets.call(owner, listProjects, { pageToken: "not a token" });
    await expect(call).rejects.toSatisfy(
      (error) => failureOf(error).metadata["field"] === "page_token",
    );
  });
});
