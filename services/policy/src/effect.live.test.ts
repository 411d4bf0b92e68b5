import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
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
} from "./testing/policy.ts";

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
const { setVaultSealing, setSecretSealing } = SealingService.method;

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
      policy.call(newUser(vaultId), setGrants, {
        machineId,
        projectId,
        secretIds: secretIds.slice(1),
      }),
  },
  {
    name: "a grant no longer reaches older versions",
    version: 1,
    run: ({ vaultId, machineId, secretId }) =>
      policy.call(newUser(vaultId), addGrant, { machineId, secretId, anyVersion: false }),
  },
  {
    name: "its vault is read sealed only, and the read is not sealed",
    run: ({ vaultId }) => policy.call(newUser(vaultId), setVaultSealing, { required: true }),
  },
  {
    name: "a secret is read sealed only, and the read is not sealed",
    run: ({ vaultId, secretId }) =>
      policy.call(newUser(vaultId), setSecretSealing, { secretId, required: true }),
  },
  {
    name: "a secret is retired",
    run: ({ vaultId, secretId }) =>
      policy.directory.retireResources({ vaultId, secretIds: [secretId] }),
  },
  {
    name: "a project is retired",
    run: ({ vaultId, projectId }) =>
      policy.directory.retireResources({ vaultId, projectIds: [projectId] }),
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
    const read = () =>
      refusalOfRead(replica, target.vaultId, target.machineId, target.secretId, version);
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
  const project = await addTestProject(policy, 12);
  const { vaultId, projectId, secretIds } = project;
  const { machineId, ...scope } = scopeOf(project, []);
  await policy.scope.applyScope({ machineId, ...scope });
  const developer = newUser(vaultId, Role.DEVELOPER);
  const { userId } = developer;
  const ends = [
    () => policy.call(newUser(vaultId), removeProjectRole, { userId, projectId }),
    () => policy.roles.endUser({ vaultId, userId }),
  ];
  for (const end of ends) {
    await giveRole(policy, vaultId, { userId, projectId, role: ProjectRole.MANAGER });
    // Each grants and takes back one secret, on and on, until it is refused.
    const changing = secretIds.map(async (secretId) => {
      for (let round = 0; round < 500; round += 1) {
        const method = round % 2 === 0 ? addGrant : removeGrant;
        const reason = await reasonOf(replica.call(developer, method, { machineId, secretId }));
        if (reason !== Reason.UNSPECIFIED && reason !== Reason.NOT_FOUND) return reason;
      }
      return Reason.UNSPECIFIED;
    });
    await expect.poll(() => grantsOf(machineId)).not.toEqual([]);
    await end();
    // Security: what was being changed was committed before the answer, or found the role gone.
    const stored = await grantsOf(machineId);
    expect(await Promise.all(changing)).not.toContain(Reason.UNSPECIFIED);
    expect(await grantsOf(machineId)).toEqual(stored);
  }
});

async function grantsOf(machineId: string): Promise<string[]> {
  const sql = "select secret_id from grants where machine_id = $1 order by secret_id";
  const rows = await policy.database.query<{ secret_id: string }>(sql, [machineId]);
  return rows.map(({ secret_id }) => secret_id);
}
