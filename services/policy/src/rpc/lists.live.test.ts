import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { PrincipalStatus } from "@sallyport/proto/gen/sallyport/policy/internal/v1/scope_pb.ts";
import { GrantService } from "@sallyport/proto/gen/sallyport/policy/v1/grant_pb.ts";
import { MembershipService } from "@sallyport/proto/gen/sallyport/policy/v1/membership_pb.ts";
import { newId } from "@sallyport/proto/ids";
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
  testStartMs,
} from "../testing/policy.ts";

const { listGrantsByMachine, listGrantsBySecret, countGrants } = GrantService.method;
const { listMembershipsByMachine } = MembershipService.method;

let policy: TestPolicy;
let auditor: SigningUser;
let web: TestProject;
let jobs: TestProject;
let vaultId: string;
let machineId: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.time.nowMs = testStartMs;
  web = await addTestProject(policy, 3);
  ({ vaultId } = web);
  jobs = await addTestProject(policy, 2, vaultId);
  auditor = newUser(vaultId, Role.AUDITOR);
  machineId = await addMachine();
});

async function addMachine(): Promise<string> {
  const scope = scopeOf(web, [...web.secretIds, ...jobs.secretIds]);
  scope.projectIds.push(jobs.projectId);
  await policy.scope.applyScope(scope);
  return scope.machineId;
}

describe("what a machine can read", () => {
  test("is listed of one project, in pages", async () => {
    const request = { machineId, projectId: web.projectId, pageSize: 2 };
    const first = await policy.call(auditor, listGrantsByMachine, request);
    const rest = await policy.call(auditor, listGrantsByMachine, {
      ...request,
      pageToken: first.nextPageToken,
    });
    const pages = [first, rest].map(({ grants }) => grants.map(({ secretId }) => secretId));
    expect(pages).toEqual([web.secretIds.slice(0, 2), web.secretIds.slice(2)]);
    expect(rest.nextPageToken).toBe("");
    const all = await policy.call(auditor, listGrantsByMachine, { machineId });
    expect(all.grants.length).toBe(5);
  });

  test("of a project that the vault does not have is not found", async () => {
    const foreign = await addTestProject(policy, 0);
    for (const projectId of [foreign.projectId, newId("prj")]) {
      const listing = policy.call(auditor, listGrantsByMachine, { machineId, projectId });
      expect(await reasonOf(listing)).toBe(Reason.NOT_FOUND);
    }
  });
});

describe("the refusal in a list", () => {
  async function refusals(): Promise<Set<Reason>> {
    const byMachine = await policy.call(auditor, listGrantsByMachine, { machineId });
    const [secretId = ""] = web.secretIds;
    const bySecret = await policy.call(auditor, listGrantsBySecret, { secretId });
    const own = bySecret.grants.filter((grant) => grant.machineId === machineId);
    const listed = [...byMachine.grants, ...own].map(
      ({ refusal }) => refusal?.reason ?? Reason.UNSPECIFIED,
    );
    expect(listed.length).toBe(6);
    const read = await refusalOfRead(policy, vaultId, machineId, secretId);
    return new Set([...listed, read]);
  }

  test("is what a read is refused with at that time", async () => {
    expect(await refusals()).toEqual(new Set([Reason.UNSPECIFIED]));
    const set = (status: PrincipalStatus) =>
      policy.scope.setPrincipalStatus({ vaultId, machineId, status });
    await set(PrincipalStatus.DISABLED);
    expect(await refusals()).toEqual(new Set([Reason.MACHINE_DISABLED]));
    await set(PrincipalStatus.ACTIVE);
    policy.time.nowMs = testStartMs + 3_600_000;
    expect(await refusals()).toEqual(new Set([Reason.MACHINE_EXPIRED]));
  });

  test("is of that machine only", async () => {
    const other = await addMachine();
    await policy.scope.setPrincipalStatus({ vaultId, machineId, status: PrincipalStatus.DISABLED });
    const { grants } = await policy.call(auditor, listGrantsBySecret, {
      secretId: web.secretIds[0] ?? "",
    });
    expect(new Map(grants.map((grant) => [grant.machineId, grant.refusal?.reason]))).toEqual(
      new Map([
        [machineId, Reason.MACHINE_DISABLED],
        [other, undefined],
      ]),
    );
  });
});

describe("the projects of a machine", () => {
  test("are listed in pages, without those that were deleted", async () => {
    const both = [web.projectId, jobs.projectId].sort();
    const first = await policy.call(auditor, listMembershipsByMachine, { machineId, pageSize: 1 });
    const { nextPageToken: pageToken } = first;
    const rest = await policy.call(auditor, listMembershipsByMachine, {
      machineId,
      pageSize: 1,
      pageToken,
    });
    expect([...first.memberships, ...rest.memberships].map(({ projectId }) => projectId)).toEqual(
      both,
    );
    expect(rest.nextPageToken).toBe("");
    await policy.directory.retireResources({ vaultId, projectIds: [web.projectId] });
    const shown = await policy.call(auditor, listMembershipsByMachine, { machineId });
    expect(shown.memberships.map(({ projectId }) => projectId)).toEqual([jobs.projectId]);
  });

  test("of a machine of another vault are not found", async () => {
    const stranger = newUser();
    const listing = policy.call(stranger, listMembershipsByMachine, { machineId });
    expect(await reasonOf(listing)).toBe(Reason.NOT_FOUND);
  });
});

describe("CountGrants", () => {
  async function counts(machineIds: string[], user = auditor) {
    const answer = await policy.call(user, countGrants, { machineIds });
    return new Map(
      answer.counts.map((count) => [count.machineId, [count.projects, count.secrets]]),
    );
  }

  test("counts projects and secrets of each machine, and nothing of one that it does not know", async () => {
    const unknown = newId("mch");
    expect(await counts([unknown, machineId])).toEqual(
      new Map([
        [machineId, [2, 5]],
        [unknown, [0, 0]],
      ]),
    );
  });

  test("leaves out what was deleted", async () => {
    await policy.directory.retireResources({
      vaultId,
      projectIds: [jobs.projectId],
      secretIds: web.secretIds.slice(0, 1),
    });
    expect(await counts([machineId])).toEqual(new Map([[machineId, [1, 2]]]));
  });

  test("tells nothing of another vault", async () => {
    expect(await counts([machineId], newUser())).toEqual(new Map([[machineId, [0, 0]]]));
  });
});
