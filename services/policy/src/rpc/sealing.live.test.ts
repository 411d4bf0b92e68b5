import { timestampMs } from "@bufbuild/protobuf/wkt";
import { openPermit } from "@sallyport/evidence";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type AuthorizeResult,
  Purpose,
} from "@sallyport/proto/gen/sallyport/policy/internal/v1/authorization_pb.ts";
import {
  ProjectRole,
  ProjectRoleService,
} from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SealingService } from "@sallyport/proto/gen/sallyport/policy/v1/sealing_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestPolicy,
  type TestProject,
  addTestProject,
  countRows,
  readOf,
  reasonOf,
  scopeOf,
  startTestPolicy,
  testStartMs,
} from "../testing/policy.ts";

const { setVaultSealing, getVaultSealing, setSecretSealing, listSealedSecrets } =
  SealingService.method;
const { UNSPECIFIED, SEALING_REQUIRED, NOT_GRANTED } = Reason;

let policy: TestPolicy;
let project: TestProject;
let owner: SigningUser;
let machineId: string;
let first: string;
let second: string;
let ungranted: string;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

beforeEach(async () => {
  policy.audit.down = false;
  project = await addTestProject(policy, 3);
  [first = "", second = "", ungranted = ""] = project.secretIds;
  owner = newUser(project.vaultId);
  const scope = scopeOf(project, [first, second]);
  machineId = scope.machineId;
  await policy.scope.applyScope(scope);
  policy.audit.events.length = 0;
});

type Asking = Partial<Omit<ReturnType<typeof readOf>, "purpose">> & {
  readonly purpose?: Purpose;
  readonly sealed?: boolean;
  readonly allOrNothing?: boolean;
  readonly allGranted?: boolean;
  readonly projectId?: string;
};

async function decide(...askings: Asking[]): Promise<AuthorizeResult[]> {
  const items = askings.map((asking) => ({ ...readOf(project.vaultId, machineId, []), ...asking }));
  const { results } = await policy.authorization.authorize({ items });
  const byDigest = new Map(
    results.map((result) => [Buffer.from(result.requestDigest).toString("hex"), result]),
  );
  return items.map(({ requestDigest }) => {
    const result = byDigest.get(Buffer.from(requestDigest).toString("hex"));
    if (!result) throw new Error("no result");
    return result;
  });
}

/** What each secret of a permitted read is refused with, and whether the reply has to be sealed. */
function allowed({ permit, refusal }: AuthorizeResult) {
  expect(refusal).toBeUndefined();
  if (!permit) throw new Error("no permit");
  const { secrets, sealedOnly } = openPermit(permit, policy.permitKeys, policy.time.nowMs);
  return { refusals: secrets.map(({ refusal: one }) => one?.reason ?? UNSPECIFIED), sealedOnly };
}

const ofVault = (required: boolean) => policy.call(owner, setVaultSealing, { required });
const ofSecret = (secretId: string, required: boolean) =>
  policy.call(owner, setSecretSealing, { secretId, required });
const actions = () =>
  policy.audit.events.map(({ action, detail }) => [action, detail["required"]] as const);

describe("a vault that is read sealed only", () => {
  test("refuses what is not sealed, on record, and permits what is, sealed only; off, it permits both", async () => {
    await ofVault(true);
    policy.audit.events.length = 0;
    const [unsealed, sealed] = await decide(
      { secretIds: [first], sealed: false },
      { secretIds: [first], sealed: true },
    );
    expect(unsealed?.refusal).toMatchObject({
      reason: SEALING_REQUIRED,
      metadata: { secret_id: first },
    });
    expect(unsealed?.permit).toBeUndefined();
    expect(sealed && allowed(sealed)).toEqual({ refusals: [UNSPECIFIED], sealedOnly: true });
    expect(policy.audit.events).toMatchObject([
      { action: "secret.read.denied", reason: "SEALING_REQUIRED", secretId: first, machineId },
    ]);
    await ofVault(false);
    const [open] = await decide({ secretIds: [first], sealed: false });
    expect(open && allowed(open)).toEqual({ refusals: [UNSPECIFIED], sealedOnly: false });
  });

  test("says so, since when and by whose word; saying it again records nothing", async () => {
    expect(await policy.call(owner, getVaultSealing, {})).toMatchObject({
      sealing: { required: false, createdBy: "" },
    });
    const { sealing } = await ofVault(true);
    expect(sealing).toMatchObject({ required: true, createdBy: owner.userId });
    expect(sealing?.createdAt && timestampMs(sealing.createdAt)).toBe(testStartMs);
    expect(await ofVault(true)).toMatchObject({ sealing });
    expect(await policy.call(owner, getVaultSealing, {})).toMatchObject({ sealing });
    expect(await ofVault(false)).toMatchObject({ sealing: { required: false } });
    await ofVault(false);
    expect(actions()).toEqual([
      ["vault.sealing_required", "true"],
      ["vault.sealing_required", "false"],
    ]);
    expect(policy.audit.events[0]).toMatchObject({
      actorId: owner.userId,
      vaultId: project.vaultId,
      secretId: "",
    });
  });

  test("is no other vault's concern", async () => {
    await policy.call(newUser(), setVaultSealing, { required: true });
    const [open] = await decide({ secretIds: [first], sealed: false });
    expect(open && allowed(open)).toEqual({ refusals: [UNSPECIFIED], sealedOnly: false });
  });
});

describe("a secret that is read sealed only", () => {
  test("is refused by itself among others; alone, or all or nothing, the request is", async () => {
    await ofSecret(first, true);
    const both = { secretIds: [first, second] };
    const [partial, whole, sealed, other] = await decide(
      { ...both, sealed: false },
      { ...both, sealed: false, allOrNothing: true },
      { ...both, sealed: true, allOrNothing: true },
      { secretIds: [second], sealed: false },
    );
    expect(partial && allowed(partial)).toEqual({
      refusals: [SEALING_REQUIRED, UNSPECIFIED],
      sealedOnly: false,
    });
    expect(whole?.refusal).toMatchObject({
      reason: SEALING_REQUIRED,
      metadata: { secret_id: first },
    });
    expect(sealed && allowed(sealed)).toEqual({
      refusals: [UNSPECIFIED, UNSPECIFIED],
      sealedOnly: true,
    });
    expect(other && allowed(other)).toEqual({ refusals: [UNSPECIFIED], sealedOnly: false });
    const permit = sealed?.permit && openPermit(sealed.permit, policy.permitKeys, testStartMs);
    expect(permit?.secrets.map(({ facts }) => facts)).toEqual([{ sealed_only: "true" }, {}]);
  });

  test("of which the machine may read none: the record alone names both reasons", async () => {
    const machine = scopeOf(project, [second]);
    await policy.scope.applyScope(machine);
    await ofSecret(first, true);
    policy.audit.events.length = 0;
    const read = readOf(project.vaultId, machine.machineId, [first]);
    const { results } = await policy.authorization.authorize({ items: [read] });
    expect(results[0]?.refusal?.reason).toBe(Reason.NOT_GRANTED);
    expect(JSON.stringify(results[0]?.secrets)).not.toContain("sealed");
    expect(policy.audit.events).toMatchObject([
      { reason: "NOT_GRANTED", detail: { failed: "NOT_GRANTED,SEALING_REQUIRED" } },
    ]);
  });

  test.each([
    { name: "all that is granted", target: () => ({ allGranted: true }) },
    { name: "a project", target: () => ({ projectId: project.projectId }) },
  ])("is refused by itself in a read of $name, and not in a sealed one", async ({ target }) => {
    await ofSecret(second, true);
    const [unsealed, sealed] = await decide(
      { ...target(), sealed: false },
      { ...target(), sealed: true },
    );
    expect(unsealed && allowed(unsealed)).toEqual({
      refusals: [UNSPECIFIED, SEALING_REQUIRED],
      sealedOnly: false,
    });
    expect(sealed && allowed(sealed)).toEqual({
      refusals: [UNSPECIFIED, UNSPECIFIED],
      sealedOnly: true,
    });
  });

  test("is in listings of what may be read", async () => {
    await ofSecret(first, true);
    const [listed] = await decide({ allGranted: true, purpose: Purpose.LIST });
    expect(listed?.secrets.map(({ secretId }) => secretId)).toEqual([first, second]);
  });

  test("is not told apart from others by a machine that was not granted it", async () => {
    await ofSecret(ungranted, true);
    const [refused, sealed] = await decide(
      { secretIds: [ungranted], sealed: false },
      { secretIds: [ungranted], sealed: true },
    );
    expect(refused?.refusal?.reason).toBe(NOT_GRANTED);
    expect(sealed?.refusal?.reason).toBe(NOT_GRANTED);
  });

  test("stays so when its vault requires it no longer, and the other way round", async () => {
    expect(await ofSecret(first, true)).toMatchObject({ vaultRequired: false });
    await ofVault(true);
    expect(await ofSecret(second, false)).toMatchObject({ vaultRequired: true });
    const unsealed = { secretIds: [first, second], sealed: false };
    expect((await decide(unsealed))[0]?.refusal?.reason).toBe(SEALING_REQUIRED);
    await ofVault(false);
    const [partial] = await decide(unsealed);
    expect(partial && allowed(partial).refusals).toEqual([SEALING_REQUIRED, UNSPECIFIED]);
  });

  test("is listed, by project and by page, while it is shown; saying it again records nothing", async () => {
    const other = await addTestProject(policy, 1, project.vaultId);
    const [elsewhere = ""] = other.secretIds;
    await Promise.all([first, second, elsewhere].map((id) => ofSecret(id, true)));
    await ofSecret(first, true);
    const list = async (request: object = {}) => policy.call(owner, listSealedSecrets, request);
    const ids = async (request: object = {}) =>
      (await list(request)).secrets.map(({ secretId }) => secretId);
    expect(await ids()).toEqual([first, second, elsewhere].toSorted());
    expect(await ids({ projectId: other.projectId })).toEqual([elsewhere]);
    expect((await list({ projectId: other.projectId })).secrets).toMatchObject([
      { projectId: other.projectId, createdBy: owner.userId },
    ]);
    const page = await list({ projectId: project.projectId, pageSize: 1 });
    expect(page).toMatchObject({ secrets: [{ secretId: first }], nextPageToken: first });
    expect(await ids({ projectId: project.projectId, pageToken: first })).toEqual([second]);
    await policy.directory.retireResources({ vaultId: project.vaultId, secretIds: [second] });
    expect(await ids({ projectId: project.projectId })).toEqual([first]);
    await ofSecret(first, false);
    await ofSecret(first, false);
    expect(await ids({ projectId: project.projectId })).toEqual([]);
    const set = ["secret.sealing_required", "true"] as const;
    expect(actions()).toEqual([set, set, set, ["secret.sealing_required", "false"]]);
    expect(policy.audit.events.at(-1)).toMatchObject({
      actorId: owner.userId,
      secretId: first,
      projectId: project.projectId,
    });
  });

  test("of another vault, or of none, is not found, and nothing is changed", async () => {
    const stranger = newUser();
    for (const secretId of [first, newId("sec")]) {
      const setting = policy.call(stranger, setSecretSealing, { secretId, required: true });
      expect(await reasonOf(setting)).toBe(Reason.NOT_FOUND);
    }
    const { projectId } = project;
    const listing = policy.call(stranger, listSealedSecrets, { projectId });
    expect(await reasonOf(listing)).toBe(Reason.NOT_FOUND);
    await ofSecret(first, true);
    const lifting = policy.call(stranger, setSecretSealing, { secretId: first, required: false });
    expect(await reasonOf(lifting)).toBe(Reason.NOT_FOUND);
    const [unsealed] = await decide({ secretIds: [first], sealed: false });
    expect(unsealed?.refusal?.reason).toBe(SEALING_REQUIRED);
  });
});

describe("a change", () => {
  const vaultBy = (user: SigningUser) =>
    reasonOf(policy.call(user, setVaultSealing, { required: true }));
  const secretBy = (user: SigningUser) =>
    reasonOf(policy.call(user, setSecretSealing, { secretId: first, required: true }));

  test("of a secret is a manager's of its project, and of the vault it is not", async () => {
    const developer = newUser(project.vaultId, Role.DEVELOPER);
    const rolesAndReasons = [
      [ProjectRole.NONE, Reason.NOT_FOUND],
      [ProjectRole.LISTER, Reason.PROJECT_ROLE_REQUIRED],
      [ProjectRole.WRITER, Reason.PROJECT_ROLE_REQUIRED],
      [ProjectRole.MANAGER, UNSPECIFIED],
    ] as const;
    for (const [role, reason] of rolesAndReasons) {
      const { projectId } = project;
      const { userId } = developer;
      await policy.call(owner, ProjectRoleService.method.setProjectRole, {
        projectId,
        userId,
        role,
      });
      expect(await secretBy(developer)).toBe(reason);
      expect(await vaultBy(developer)).toBe(Reason.ROLE_REQUIRED);
    }
  });

  test("is no auditor's, and none of an owner who was removed", async () => {
    const auditor = newUser(project.vaultId, Role.AUDITOR);
    expect(await vaultBy(auditor)).toBe(Reason.ROLE_REQUIRED);
    expect(await secretBy(auditor)).toBe(Reason.ROLE_REQUIRED);
    await policy.roles.endUser({ vaultId: project.vaultId, userId: owner.userId });
    expect(await vaultBy(owner)).toBe(Reason.MACHINE_DISABLED);
    expect(await secretBy(owner)).toBe(Reason.MACHINE_DISABLED);
  });
});

test("what cannot be recorded is not changed", async () => {
  policy.hooks.beforeRecord = () => Promise.reject(new Error("no record"));
  expect(await reasonOf(ofVault(true))).not.toBe(UNSPECIFIED);
  expect(await reasonOf(ofSecret(first, true))).not.toBe(UNSPECIFIED);
  policy.hooks.beforeRecord = () => Promise.resolve();
  expect(await policy.call(owner, getVaultSealing, {})).toMatchObject({
    sealing: { required: false },
  });
  expect((await policy.call(owner, listSealedSecrets, {})).secrets).toEqual([]);
});

test("changes at once are each recorded when they change something, and reads see one or the other", async () => {
  const settings = [true, false, true, true, false, false, true, false];
  const reads = settings.map(() => decide({ secretIds: [first, second], sealed: false }));
  await Promise.all([...settings.map((required) => ofSecret(first, required)), ...reads]);
  const seen = (await Promise.all(reads)).map(([result]) => result && allowed(result).refusals[0]);
  expect(seen.every((reason) => reason === UNSPECIFIED || reason === SEALING_REQUIRED)).toBe(true);
  const { secrets } = await policy.call(owner, listSealedSecrets, {});
  const changes = policy.audit.events.filter(({ action }) => action === "secret.sealing_required");
  const on = changes.filter(({ detail }) => detail["required"] === "true").length;
  expect(on - (changes.length - on)).toBe(secrets.length);
  expect(await countRows(policy.database, "outbox")).toBe(0);
});
