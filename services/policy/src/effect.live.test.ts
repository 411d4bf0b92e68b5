import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { ProjectRole, ProjectRoleService } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { createServiceDatabase, newUser } from "@sallyport/test/infra";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  giveRole,
  reasonOf,
  refusalOfRead,
  scopeOf,
  startTestPolicy,
} from "../testing/policy.ts";

// Two of policy's processes on one database: what is changed through one is read through the other.
let policy: TestPolicy;
let replica: TestPolicy;

beforeAll(async () => {
  const database = await createServiceDatabase("policy");
  policy = await startTestPolicy(database);
  replica = await startTestPolicy(database);
  return async () => {
    await replica[Symbol.asyncDispose]();
    await policy[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  };
});

type Target = TestProject & { readonly machineId: string; readonly secretId: string };

const { DISABLED } = PrincipalStatus;
const { removeGrant, setGrants, addGrant } = GrantService.method;
const { removeProjectRole } = ProjectRoleService.method;
const { removeMembership } = MembershipService.method;

// What takes the right away, and the version whose read it concerns.
const changes: readonly {
  readonly name: string;
  readonly version?: number;
  readonly run: (target: Target) => Promise<unknown>;
}[] = [
  {
    name: "a grant is removed",
    run: ({ vaultId, machineId, secretId }) =>
      policy.call(newUser(vaultId), removeGrant, { machineId, secretId }),
  },
  {
    name: "a membership is removed",
    run: ({ vaultId, machineId, projectId }) =>
      policy.call(newUser(vaultId), removeMembership, { machineId, projectId }),
  },
  {
    name: "the grants are set to others",
    run: ({ vaultId, machineId, projectId, secretIds }) =>
      policy.call(newUser(vaultId), setGrants, { machineId, projectId, secretIds: secretIds.slice(1) }),
  },
  {
    name: "a grant no longer reaches older versions",
    version: 1,
    run: ({ vaultId, machineId, secretId }) =>
      policy.call(newUser(vaultId), addGrant, { machineId, secretId, anyVersion: false }),
  },
  {
    name: "a secret is retired",
    run: ({ vaultId, secretId }) => policy.directory.retireResources({ vaultId, secretIds: [secretId] }),
  },
  {
    name: "a project is retired",
    run: ({ vaultId, projectId }) => policy.directory.retireResources({ vaultId, projectIds: [projectId] }),
  },
  {
    name: "a machine is disabled",
    run: ({ vaultId, machineId }) =>
      policy.scope.setPrincipalStatus({ vaultId, machineId, status: DISABLED }),
  },
];

describe("the next read is refused at once when", () => {
  test.each(changes)("$name", async ({ name, run, version = 0 }) => {
    const project = await addTestProject(policy, 2);
    const scope = { ...scopeOf(project, project.secretIds), anyVersion: true };
    await policy.scope.applyScope(scope);
    const target = { ...project, machineId: scope.machineId, secretId: project.secretIds[0] ?? "" };
    const read = () => refusalOfRead(replica, target.vaultId, target.machineId, target.secretId, version);
    expect(await read()).toBe(Reason.UNSPECIFIED);
    const start = performance.now();
    const reading = untilRefused(read);
    await run(target);
    const answeredMs = performance.now() - start;
    // Security: whoever was told that the right is gone finds it gone, in the very next read.
    expect(await read()).not.toBe(Reason.UNSPECIFIED);
    const refusedMs = (await reading) - start;
    const times = `first refused read after ${refusedMs.toFixed(1)} ms, answered after ${answeredMs.toFixed(1)} ms`;
    console.info(`${name}: ${times}`);
  });
});

/** Reads again and again, and returns when the answer came that was the first to refuse. */
async function untilRefused(read: () => Promise<Reason>): Promise<number> {
  while ((await read()) === Reason.UNSPECIFIED);
  return performance.now();
}

test("a role that was taken back changes nothing after the answer, however many changes run", async () => {
  const project = await addTestProject(policy, 40);
  const { vaultId, projectId, secretIds } = project;
  const scope = scopeOf(project, []);
  await policy.scope.applyScope(scope);
  const developer = newUser(vaultId, Role.DEVELOPER);
  const { userId } = developer;
  const ends = [
    () => policy.call(newUser(vaultId), removeProjectRole, { userId, projectId }),
    () => policy.roles.endUser({ vaultId, userId }),
  ];
  for (const end of ends) {
    await giveRole(policy, vaultId, { userId, projectId, role: ProjectRole.MANAGER });
    let refused = 0;
    const grant = async (secretId: string) => {
      const change = replica.call(developer, addGrant, { machineId: scope.machineId, secretId });
      refused += Number((await reasonOf(change)) !== Reason.UNSPECIFIED);
    };
    const granting = Promise.all(secretIds.map(grant));
    await end();
    const stored = await countGrantsOf(scope.machineId);
    await granting;
    // Security: what was about to be granted was committed before the answer, or saw the role gone.
    expect(await countGrantsOf(scope.machineId)).toBe(stored);
    expect(refused).toBeGreaterThan(0);
    for (const secretId of secretIds)
      await reasonOf(policy.call(newUser(vaultId), removeGrant, { machineId: scope.machineId, secretId }));
  }
});

async function countGrantsOf(machineId: string): Promise<number> {
  return (await policy.database.query("select 1 from grants where machine_id = $1", [machineId])).length;
}
