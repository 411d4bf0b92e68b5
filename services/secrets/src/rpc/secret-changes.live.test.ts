import { randomBytes } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { faults, mend } from "../testing/faults.ts";
import { resetPeers } from "../testing/memory-peers.ts";
import {
  type TestSecrets,
  actionsOf,
  addTestProject,
  addTestSecret,
  addTestVersion,
  ageDeletion,
  deleteTestSecret,
  newDeveloper,
  reasonOf,
  startTestSecrets,
  newSecretRequest,
} from "../testing/secrets.ts";

const {
  createSecret,
  getSecret,
  listSecrets,
  updateSecret,
  deleteSecret,
  restoreSecret,
  listVersions,
} = SecretService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let projectId: string;
let secretId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  mend(secrets);
  resetPeers(secrets.memory);
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
  resetPeers(secrets.memory);
});

const restore = (id = secretId) => secrets.call(owner, restoreSecret, { secretId: id });

async function fetched(id = secretId): Promise<number> {
  const item = { requestDigest: randomBytes(32), vaultId: owner.vaultId, secretIds: [id] };
  const { results } = await secrets.fetching.fetch({ items: [item] });
  return results[0]?.secrets.length ?? 0;
}

async function unsettled(): Promise<string[]> {
  const rows = await secrets.database.query<{ id: string }>("select id from unsettled");
  return rows.map(({ id }) => id);
}

async function isDeleted(): Promise<boolean> {
  const { secret } = await secrets.call(owner, getSecret, { secretId, showDeleted: true });
  return secret?.deletedAt !== undefined;
}

describe("UpdateSecret", () => {
  test("replaces the note and records that it changed, not what it says", async () => {
    const note = "ask the DBA team\nrotated every quarter — ✓";
    const { secret } = await secrets.call(owner, updateSecret, { secretId, note });
    expect(secret).toMatchObject({ secretId, note, currentVersion: 1 });
    expect((await secrets.call(owner, getSecret, { secretId })).secret?.note).toBe(note);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "secret.updated",
        secretId,
        projectId,
        actorId: owner.userId,
        vaultId: owner.vaultId,
      },
    ]);
    expect(secrets.memory.events[0]?.detail).toEqual({ name: "DB_URL", changed: "note" });
    expect((await secrets.call(owner, updateSecret, { secretId, note: "" })).secret?.note).toBe("");
  });

  test("is the only thing that a record could repeat, and none does", async () => {
    const note = "canary-note";
    await secrets.call(owner, updateSecret, { secretId, note });
    const request = { ...newSecretRequest(owner, projectId, "OTHER"), note };
    await secrets.call(owner, createSecret, request);
    await deleteTestSecret(secrets, owner, secretId);
    await restore();
    expect(actionsOf(secrets).length).toBe(4);
    for (const { detail } of secrets.memory.events)
      expect(Object.values(detail)).not.toContain(note);
  });

  test("changes and records nothing when the note is the same", async () => {
    await secrets.call(owner, updateSecret, { secretId, note: "" });
    expect(secrets.memory.events).toEqual([]);
  });

  test.each([
    { name: "1,000 bytes", note: "x".repeat(1000), reason: Reason.UNSPECIFIED },
    { name: "1,001 bytes", note: "x".repeat(1001), reason: Reason.FIELD_INVALID },
    { name: "1,000 bytes of two each", note: "é".repeat(500), reason: Reason.UNSPECIFIED },
    { name: "1,002 bytes of two each", note: "é".repeat(501), reason: Reason.FIELD_INVALID },
    { name: "a newline", note: "a\nb", reason: Reason.UNSPECIFIED },
    { name: "a NUL", note: "a\0b", reason: Reason.FIELD_INVALID },
    { name: "a tab", note: "a\tb", reason: Reason.FIELD_INVALID },
    { name: "a carriage return", note: "a\r\nb", reason: Reason.FIELD_INVALID },
    { name: "an escape", note: "\u001b[31m", reason: Reason.FIELD_INVALID },
    { name: "a delete", note: "\u007f", reason: Reason.FIELD_INVALID },
    { name: "a control of Latin-1", note: "\u009b31m", reason: Reason.FIELD_INVALID },
  ])("takes a note with $name: $reason, also for a new secret", async ({ note, reason }) => {
    expect(await reasonOf(secrets.call(owner, updateSecret, { secretId, note }))).toBe(reason);
    const request = { ...newSecretRequest(owner, projectId, "OTHER"), note };
    expect(await reasonOf(secrets.call(owner, createSecret, request))).toBe(reason);
    if (reason === Reason.UNSPECIFIED)
      expect(
        (await secrets.call(owner, getSecret, { projectId, name: "OTHER" })).secret?.note,
      ).toBe(note);
  });

  test("is for writers, and does not find what is deleted", async () => {
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    const change = { secretId, note: "x" };
    expect(await reasonOf(secrets.call(auditor, updateSecret, change))).toBe(Reason.ROLE_REQUIRED);
    const developer = newDeveloper(secrets, owner.vaultId, projectId, ProjectRole.WRITER);
    expect(await reasonOf(secrets.call(developer, updateSecret, change))).toBe(Reason.UNSPECIFIED);
    await deleteTestSecret(secrets, owner, secretId);
    expect(await reasonOf(secrets.call(owner, updateSecret, change))).toBe(Reason.NOT_FOUND);
  });
});

describe("DeleteSecret", () => {
  test("tells policy, then hides the secret, says when it will be gone, and records it", async () => {
    const before = Date.now();
    const { secret } = await deleteTestSecret(secrets, owner, secretId);
    if (!secret?.deletedAt || !secret.purgeAt) throw new Error("not deleted");
    expect(secret).toMatchObject({ secretId, name: "DB_URL", deletedBy: owner.userId });
    expect(Math.abs(timestampMs(secret.deletedAt) - before)).toBeLessThan(5_000);
    expect(timestampMs(secret.purgeAt) - timestampMs(secret.deletedAt)).toBe(30 * 86_400_000);
    expect(secrets.memory.told).toEqual(["retire"]);
    expect(secrets.memory.retired).toContain(secretId);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "secret.deleted",
        secretId,
        projectId,
        actorId: owner.userId,
        detail: { name: "DB_URL" },
      },
    ]);
    expect(await unsettled()).toEqual([]);
  });

  test("leaves nothing that finds the secret, except where deleted ones are asked for", async () => {
    await deleteTestSecret(secrets, owner, secretId);
    expect(await fetched()).toBe(0);
    for (const call of [
      () => secrets.call(owner, getSecret, { secretId }),
      () => secrets.call(owner, getSecret, { projectId, name: "DB_URL" }),
      () => addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 }),
      () => secrets.call(owner, listVersions, { secretId }),
    ])
      expect(await reasonOf(call())).toBe(Reason.NOT_FOUND);
    expect((await secrets.call(owner, listSecrets, { projectId })).secrets).toEqual([]);
    const shown = await secrets.call(owner, listSecrets, { projectId, showDeleted: true });
    expect(shown.secrets).toMatchObject([{ secretId, deletedBy: owner.userId }]);
    const byId = await secrets.call(owner, getSecret, { secretId, showDeleted: true });
    expect(byId.secret?.deletedAt).toBeDefined();
    const byName = secrets.call(owner, getSecret, { projectId, name: "DB_URL", showDeleted: true });
    expect(await reasonOf(byName)).toBe(Reason.FIELD_INVALID);
  });

  test("of a deleted one changes nothing, records nothing and keeps its time", async () => {
    const first = await deleteTestSecret(secrets, owner, secretId);
    const other = newUser(owner.vaultId);
    const again = await deleteTestSecret(secrets, other, secretId);
    expect(again.secret).toEqual(first.secret);
    expect(actionsOf(secrets)).toEqual(["secret.deleted"]);
  });

  test("frees the name at once", async () => {
    await deleteTestSecret(secrets, owner, secretId);
    const next = await addTestSecret(secrets, owner, projectId, "DB_URL");
    expect(next).not.toBe(secretId);
    const { secret } = await secrets.call(owner, getSecret, { projectId, name: "DB_URL" });
    expect(secret?.secretId).toBe(next);
    const all = await secrets.call(owner, listSecrets, { projectId, showDeleted: true });
    expect(all.secrets.map((one) => one.secretId).toSorted()).toEqual([secretId, next].toSorted());
  });

  test("does not free the id", async () => {
    const request = newSecretRequest(owner, projectId, "OTHER");
    await secrets.call(owner, createSecret, request);
    await deleteTestSecret(secrets, owner, request.secretId);
    const again = secrets.call(owner, createSecret, { ...request, name: "X" });
    await expect(again).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "secret_id" },
    });
  });

  test("is for writers, and finds nothing of another vault", async () => {
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    expect(await reasonOf(deleteTestSecret(secrets, auditor, secretId))).toBe(Reason.ROLE_REQUIRED);
    expect(await reasonOf(deleteTestSecret(secrets, newUser(), secretId))).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(deleteTestSecret(secrets, owner, newId("sec")))).toBe(Reason.NOT_FOUND);
    expect(secrets.memory.told).toEqual([]);
    const developer = newDeveloper(secrets, owner.vaultId, projectId, ProjectRole.WRITER);
    expect(await reasonOf(deleteTestSecret(secrets, developer, secretId))).toBe(Reason.UNSPECIFIED);
  });

  test("is refused when its request comes again, before policy is told", async () => {
    const request = secrets.deployment.forwardRequest(owner, deleteSecret, { secretId });
    await secrets.forwarding.forward(request);
    await restore();
    secrets.memory.told.length = 0;
    const { result } = await secrets.forwarding.forward(request);
    expect(result.case === "refusal" ? result.value.reason : undefined).toBe(
      Reason.REQUEST_REJECTED,
    );
    expect([secrets.memory.told, await isDeleted()]).toEqual([[], false]);
  });
});

describe("RestoreSecret", () => {
  beforeEach(async () => {
    await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 });
    await secrets.call(owner, updateSecret, { secretId, note: "kept" });
    await deleteTestSecret(secrets, owner, secretId);
    resetPeers(secrets.memory);
  });

  test("brings back the secret as it was and tells policy after that", async () => {
    const { secret } = await restore();
    expect(secret).toMatchObject({
      secretId,
      name: "DB_URL",
      note: "kept",
      currentVersion: 2,
      deletedBy: "",
    });
    expect([secret?.deletedAt, secret?.purgeAt]).toEqual([undefined, undefined]);
    expect(await fetched()).toBe(1);
    expect(secrets.memory.told).toEqual(["reinstate"]);
    expect(secrets.memory.retired).not.toContain(secretId);
    expect(secrets.memory.events).toMatchObject([
      {
        action: "secret.restored",
        secretId,
        projectId,
        actorId: owner.userId,
        detail: { name: "DB_URL" },
      },
    ]);
    expect(await unsettled()).toEqual([]);
  });

  test("of a living one changes nothing and records nothing, and policy hears it again", async () => {
    await restore();
    resetPeers(secrets.memory);
    secrets.memory.retired.add(secretId);
    expect((await restore()).secret).toMatchObject({ secretId, currentVersion: 2 });
    expect([actionsOf(secrets), secrets.memory.told]).toEqual([[], ["reinstate"]]);
    expect(secrets.memory.retired).not.toContain(secretId);
  });

  test("is refused while another bears the name", async () => {
    const other = await addTestSecret(secrets, owner, projectId, "DB_URL");
    secrets.memory.told.length = 0;
    await expect(restore()).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "name" },
    });
    expect([await isDeleted(), await unsettled(), secrets.memory.told]).toEqual([true, [], []]);
    await deleteTestSecret(secrets, owner, other);
    expect(await reasonOf(restore())).toBe(Reason.UNSPECIFIED);
    expect(await reasonOf(restore(other))).toBe(Reason.ALREADY_EXISTS);
  });

  test("is over after 30 days: nothing finds it any more, though it is still stored", async () => {
    await ageDeletion(secrets, secretId);
    expect(await reasonOf(restore())).toBe(Reason.NOT_FOUND);
    expect(await reasonOf(deleteTestSecret(secrets, owner, secretId))).toBe(Reason.NOT_FOUND);
    const byId = secrets.call(owner, getSecret, { secretId, showDeleted: true });
    expect(await reasonOf(byId)).toBe(Reason.NOT_FOUND);
    const list = await secrets.call(owner, listSecrets, { projectId, showDeleted: true });
    expect(list.secrets).toEqual([]);
  });

  test("is for writers, and finds nothing of another vault", async () => {
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    expect(await reasonOf(secrets.call(auditor, restoreSecret, { secretId }))).toBe(
      Reason.ROLE_REQUIRED,
    );
    expect(await reasonOf(secrets.call(newUser(), restoreSecret, { secretId }))).toBe(
      Reason.NOT_FOUND,
    );
    expect(secrets.memory.told).toEqual([]);
  });
});

/** Whether policy and the store say the same of the secret, and nothing waits. */
async function agreed(deleted: boolean): Promise<void> {
  expect(await isDeleted(), "stored").toBe(deleted);
  expect(secrets.memory.retired.has(secretId), "hidden by policy").toBe(deleted);
  expect(await fetched(), "fetched").toBe(deleted ? 0 : 1);
  expect(await unsettled()).toEqual([]);
}

describe.each(faults)("when $name", ({ cause }) => {
  test("a delete is not acknowledged; a later one finishes it, with one record", async () => {
    cause(secrets);
    expect(await reasonOf(deleteTestSecret(secrets, owner, secretId))).toBe(
      Reason.DEPENDENCY_UNAVAILABLE,
    );
    mend(secrets);
    await deleteTestSecret(secrets, owner, secretId);
    await agreed(true);
    expect(actionsOf(secrets)).toEqual(["secret.deleted"]);
  });

  test("a delete that nobody repeats is settled: policy and the store agree", async () => {
    cause(secrets);
    expect(await reasonOf(deleteTestSecret(secrets, owner, secretId))).toBe(
      Reason.DEPENDENCY_UNAVAILABLE,
    );
    mend(secrets);
    await secrets.liveness.settleAll();
    await agreed(await isDeleted());
  });

  test("a restore is not acknowledged; a later one finishes it, with one record", async () => {
    await deleteTestSecret(secrets, owner, secretId);
    secrets.memory.events.length = 0;
    cause(secrets);
    expect(await reasonOf(restore())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    mend(secrets);
    await restore();
    await agreed(false);
    expect(actionsOf(secrets)).toEqual(["secret.restored"]);
  });

  test("a restore that nobody repeats is settled; until then it is hidden", async () => {
    await deleteTestSecret(secrets, owner, secretId);
    cause(secrets);
    expect(await reasonOf(restore())).toBe(Reason.DEPENDENCY_UNAVAILABLE);
    mend(secrets);
    await secrets.liveness.settleAll();
    await agreed(await isDeleted());
  });
});
