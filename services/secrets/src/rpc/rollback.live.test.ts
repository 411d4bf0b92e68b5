import { randomBytes } from "node:crypto";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resetPeers } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  deleteTestSecret,
  newDeveloper,
  reasonOf,
  startTestSecrets,
} from "../testing/secrets.ts";

const { getSecret, listVersions, restoreSecret, rollbackSecret } = SecretService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;
let secretId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  resetPeers(secrets.memory);
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
  for (const expectedVersion of [1, 2])
    await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion });
  resetPeers(secrets.memory);
});

type Asked = Partial<{ projectId: string; expectedVersion: number; toVersion: number }>;
const rollback = (changed: Asked = {}, by = owner) =>
  secrets.call(by, rollbackSecret, {
    secretId,
    projectId,
    expectedVersion: 3,
    toVersion: 1,
    ...changed,
  });
const versions = async () =>
  (await secrets.call(owner, listVersions, { secretId })).versions.map((each) => [
    each.version,
    each.rollbackOf,
  ]);
async function envelopeOf(requestedVersion = 0): Promise<Uint8Array | undefined> {
  const named = { vaultId: owner.vaultId, secretIds: [secretId], requestedVersion };
  const { results } = await secrets.fetching.fetch({
    items: [{ requestDigest: randomBytes(32), ...named }],
  });
  return results[0]?.secrets[0]?.envelope;
}

describe("RollbackSecret", () => {
  test("stores the former value as the next version, as crypto sealed it, and records it", async () => {
    const former = await envelopeOf(1);
    const { secret } = await rollback();
    expect(secret).toMatchObject({
      secretId,
      currentVersion: 4,
      rollbackOf: 1,
      updatedBy: owner.userId,
    });
    expect(await versions()).toEqual([
      [4, 1],
      [3, 0],
      [2, 0],
      [1, 0],
    ]);
    const key = new TextEncoder().encode(`key ${projectId} 1`);
    const [asked] = secrets.memory.resealed;
    expect(Buffer.from(asked?.envelope ?? "")).toEqual(Buffer.from(former ?? ""));
    expect([asked?.formerProjectKey, asked?.projectKey]).toEqual([key, key]);
    expect(await envelopeOf()).not.toEqual(former);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "secret.rolled_back",
        secretId,
        projectId,
        secretVersion: 4,
        actorId: owner.userId,
      },
    ]);
    expect(secrets.memory.events[0]?.detail).toEqual({ name: "DB_URL", rollback_of: "1" });
  });

  test("takes nothing back: what was current can be brought back as well, and writes go on", async () => {
    await rollback();
    expect((await rollback({ expectedVersion: 4, toVersion: 3 })).secret).toMatchObject({
      currentVersion: 5,
      rollbackOf: 3,
    });
    const { secret } = await addTestVersion(secrets, owner, {
      projectId,
      secretId,
      expectedVersion: 5,
    });
    expect(secret).toMatchObject({ currentVersion: 6, rollbackOf: 0 });
  });

  test("of ten that expect the same version at once, by others, one wins", async () => {
    const others = Array.from({ length: 10 }, () => newUser(owner.vaultId));
    const reasons = await Promise.all(others.map((by) => reasonOf(rollback({}, by))));
    expect(reasons.filter((reason) => reason === Reason.UNSPECIFIED).length).toBe(1);
    expect(reasons.filter((reason) => reason === Reason.VERSION_CONFLICT).length).toBe(9);
    expect((await versions()).length).toBe(4);
  });

  test("asked again after its answer was lost, changes and records nothing", async () => {
    await rollback();
    expect((await rollback()).secret).toMatchObject({ currentVersion: 4, rollbackOf: 1 });
    expect((await versions()).length).toBe(4);
    expect(secrets.memory.events.length).toBe(1);
  });

  test.each<{ name: string; asked: Asked }>([
    { name: "after another write", asked: { expectedVersion: 2 } },
    { name: "to another version than the one that was done", asked: { toVersion: 2 } },
  ])("is a conflict $name, and says which version is current", async ({ asked }) => {
    await rollback();
    const refused = await rollback(asked).then(() => undefined, failureOf);
    expect(refused).toMatchObject({
      reason: Reason.VERSION_CONFLICT,
      metadata: { current_version: "4" },
    });
    expect((await versions()).length).toBe(4);
  });

  test("is no repeat by another user", async () => {
    await rollback();
    expect(await reasonOf(rollback({}, newUser(owner.vaultId)))).toBe(Reason.VERSION_CONFLICT);
  });

  test.each([
    { name: "the current version", asked: { toVersion: 3 } },
    { name: "one to come", asked: { toVersion: 4 } },
    { name: "none", asked: { toVersion: 0 } },
    { name: "over none", asked: { expectedVersion: 0, toVersion: 1 } },
  ])("refuses $name by its field", async ({ asked }) => {
    expect(await reasonOf(rollback(asked))).toBe(Reason.FIELD_INVALID);
    expect(secrets.memory.resealed).toEqual([]);
  });

  test("does not find a deleted secret, another project's, or another vault's; restored, it does", async () => {
    const other = await addTestProject(secrets, owner, "billing");
    expect(await reasonOf(rollback({ projectId: other }))).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(rollback({}, newUser()))).toBe(Reason.NOT_FOUND);
    await deleteTestSecret(secrets, owner, secretId);
    expect(await reasonOf(rollback())).toBe(Reason.NOT_FOUND);
    await secrets.call(owner, restoreSecret, { secretId });
    expect(await reasonOf(rollback())).toBe(Reason.UNSPECIFIED);
  });

  test("is for writers of the project", async () => {
    const { LISTER, WRITER } = ProjectRole;
    expect(await reasonOf(rollback({}, newUser(owner.vaultId, Role.AUDITOR)))).toBe(
      Reason.ROLE_REQUIRED,
    );
    const lister = newDeveloper(secrets, owner.vaultId, projectId, LISTER);
    expect(await reasonOf(rollback({}, lister))).toBe(Reason.PROJECT_ROLE_REQUIRED);
    const writer = newDeveloper(secrets, owner.vaultId, projectId, WRITER);
    expect(await reasonOf(rollback({}, writer))).toBe(Reason.UNSPECIFIED);
  });

  test("is refused when its request comes again, before crypto is asked", async () => {
    const body = { projectId, secretId, expectedVersion: 3, toVersion: 1 };
    const request = secrets.deployment.forwardRequest(owner, rollbackSecret, body);
    await secrets.forwarding.forward(request);
    const { result } = await secrets.forwarding.forward(request);
    expect(result.case === "refusal" ? result.value.reason : undefined).toBe(
      Reason.REQUEST_REJECTED,
    );
    expect(secrets.memory.resealed.length).toBe(1);
  });

  test("stores nothing while crypto is away", async () => {
    secrets.memory.down.crypto = true;
    expect(await reasonOf(rollback())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    secrets.memory.down.crypto = false;
    expect((await secrets.call(owner, getSecret, { secretId })).secret?.currentVersion).toBe(3);
    expect(secrets.memory.events).toEqual([]);
  });
});
