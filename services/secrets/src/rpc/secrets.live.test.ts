import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { Role, ValueKind } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ProjectRole } from "@sallyport/proto/gen/sallyport/policy/v1/project_role_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf } from "@sallyport/rpc";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  addTestVersion,
  newDeveloper,
  reasonOf,
  sealedValue,
  startTestSecrets,
  newSecretRequest,
} from "../testing/secrets.ts";

const { createSecret, getSecret, listSecrets, addVersion, listVersions } = SecretService.method;

let secrets: TestSecrets;
let owner: SigningUser;
let stranger: SigningUser;
let projectId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  const { events, sealed, registered, down, refuse } = secrets.memory;
  Object.assign(down, { audit: false, crypto: false, policy: false });
  refuse.seal = undefined;
  owner = newUser();
  stranger = newUser();
  projectId = await addTestProject(secrets, owner);
  events.length = 0;
  sealed.length = 0;
  registered.length = 0;
});

function creation(
  name: string,
  changes: Partial<{
    secretId: string;
    idNonce: Uint8Array<ArrayBuffer>;
    projectId: string;
    kind: ValueKind;
  }> = {},
) {
  const { kind, ...rest } = changes;
  return { ...newSecretRequest(owner, projectId, name), value: sealedValue(kind), ...rest };
}

describe("CreateSecret", () => {
  test("stores what crypto sealed, under the project's key, registers the id and records it", async () => {
    const request = creation("DB_URL", { kind: ValueKind.FIELDS });
    const { secret } = await secrets.call(owner, createSecret, request);
    const { secretId } = request;
    const expected = {
      secretId,
      projectId,
      name: "DB_URL",
      currentVersion: 1,
      kind: ValueKind.FIELDS,
    };
    expect(secret).toMatchObject({
      ...expected,
      fieldNames: ["password", "user"],
      createdBy: owner.userId,
    });
    const { sealed, registered, events } = secrets.memory;
    expect(sealed[0]?.projectKey).toEqual(new TextEncoder().encode(`key ${projectId} 1`));
    expect(sealed[0]?.credential).toBeDefined();
    expect(sealed[0]).toMatchObject({ projectName: "payments", secretName: "DB_URL" });
    expect(registered).toMatchObject([
      { vaultId: owner.vaultId, secrets: [{ secretId, projectId }] },
    ]);
    expect(events).toMatchObject([
      {
        action: "secret.created",
        secretId,
        projectId,
        secretVersion: 1,
        actorId: owner.userId,
        detail: { name: "DB_URL" },
      },
    ]);
  });

  test("refuses a name or an id that is taken", async () => {
    const request = creation("DB_URL");
    await secrets.call(owner, createSecret, request);
    const sameName = secrets.call(owner, createSecret, creation("DB_URL"));
    await expect(sameName).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "name" },
    });
    const sameId = secrets.call(owner, createSecret, {
      ...creation("OTHER"),
      secretId: request.secretId,
      idNonce: request.idNonce,
    });
    await expect(sameId).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "secret_id" },
    });
    const other = await addTestProject(secrets, owner, "billing");
    expect(
      await reasonOf(secrets.call(owner, createSecret, creation("DB_URL", { projectId: other }))),
    ).toBe(Reason.UNSPECIFIED);
  });

  test("takes no id but the one that its nonce gives in the vault, whatever exists", async () => {
    const taken = creation("DB_URL");
    await secrets.call(owner, createSecret, taken);
    const ofStranger = await addTestProject(secrets, stranger, "theirs");
    const { secretId } = taken;
    for (const request of [
      { ...newSecretRequest(stranger, ofStranger, "A"), secretId },
      { ...newSecretRequest(stranger, ofStranger, "A"), secretId, idNonce: taken.idNonce },
      { ...newSecretRequest(stranger, ofStranger, "A"), secretId: newId("sec") },
      newSecretRequest(owner, ofStranger, "A"),
    ])
      await expect(secrets.call(stranger, createSecret, request)).rejects.toMatchObject({
        reason: Reason.FIELD_INVALID,
        metadata: {
          field: "secret_id",
          description: "it is not the id that id_nonce gives in this vault",
        },
      });
    const fit = newSecretRequest(stranger, ofStranger, "A");
    expect(await reasonOf(secrets.call(stranger, createSecret, fit))).toBe(Reason.UNSPECIFIED);
  });

  test("of ten with one name at once, one wins", async () => {
    const calls = Array.from({ length: 10 }, () =>
      reasonOf(secrets.call(owner, createSecret, creation("DB_URL"))),
    );
    const reasons = await Promise.all(calls);
    expect(reasons.filter((reason) => reason === Reason.UNSPECIFIED).length).toBe(1);
    expect(reasons.filter((reason) => reason === Reason.ALREADY_EXISTS).length).toBe(9);
  });

  test("refuses a dangerous name, saying why, unless told to allow it", async () => {
    const request = creation("LD_PRELOAD");
    const refused = secrets.call(owner, createSecret, request);
    await expect(refused).rejects.toMatchObject({
      reason: Reason.NAME_DANGEROUS,
      metadata: { name: "LD_PRELOAD" },
    });
    expect(secrets.memory.sealed).toEqual([]);
    const allowed = secrets.call(owner, createSecret, { ...request, allowDangerousName: true });
    expect(await reasonOf(allowed)).toBe(Reason.UNSPECIFIED);
  });

  test("does not find another vault's project", async () => {
    const request = newSecretRequest(stranger, projectId, "DB_URL");
    expect(await reasonOf(secrets.call(stranger, createSecret, request))).toBe(Reason.NOT_FOUND);
    expect(secrets.memory.sealed).toEqual([]);
  });

  test.each(["crypto", "policy"] as const)("stores nothing while %s is away", async (peer) => {
    secrets.memory.down[peer] = true;
    const request = creation("DB_URL");
    expect(await reasonOf(secrets.call(owner, createSecret, request))).toBe(
      Reason.DEPENDENCY_UNAVAILABLE,
    );
    const { secretId } = request;
    secrets.memory.down[peer] = false;
    expect(await reasonOf(secrets.call(owner, getSecret, { secretId }))).toBe(Reason.NOT_FOUND);
    expect(secrets.memory.events).toEqual([]);
  });

  test("passes on what crypto refuses the value for", async () => {
    secrets.memory.refuse.seal = Reason.FIELD_INVALID;
    const call = secrets.call(owner, createSecret, creation("DB_URL"));
    await expect(call).rejects.toMatchObject({
      reason: Reason.FIELD_INVALID,
      metadata: { field: "value" },
    });
  });

  test("is for writers only", async () => {
    const auditor = newUser(owner.vaultId, Role.AUDITOR);
    const developer = newDeveloper(secrets, owner.vaultId, projectId, ProjectRole.WRITER);
    expect(await reasonOf(secrets.call(auditor, createSecret, creation("A")))).toBe(
      Reason.ROLE_REQUIRED,
    );
    expect(await reasonOf(secrets.call(developer, createSecret, creation("A")))).toBe(
      Reason.UNSPECIFIED,
    );
  });
});

describe("AddVersion", () => {
  test("moves the secret on by one and records it", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    secrets.memory.events.length = 0;
    secrets.time.nowMs += 1000;
    const { secret } = await addTestVersion(secrets, owner, {
      projectId,
      secretId,
      expectedVersion: 1,
    });
    expect(secret).toMatchObject({ secretId, currentVersion: 2 });
    expect(secret?.updatedAt).not.toEqual(secret?.createdAt);
    expect(secrets.memory.events).toMatchObject([
      { action: "secret.version.added", secretId, secretVersion: 2 },
    ]);
  });

  test("tells crypto the stored names of the ids that were signed", async () => {
    const other = await addTestProject(secrets, owner, "billing");
    await addTestSecret(secrets, owner, projectId, "DB_URL");
    const secretId = await addTestSecret(secrets, owner, other, "API_KEY");
    secrets.memory.sealed.length = 0;
    await addTestVersion(secrets, owner, { projectId: other, secretId, expectedVersion: 1 });
    expect(secrets.memory.sealed).toMatchObject([
      { projectName: "billing", secretName: "API_KEY" },
    ]);
  });

  test("of ten that expect the same version at once, one wins and the others learn the current one", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    const calls = Array.from({ length: 10 }, () =>
      addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 }).then(
        () => "won",
        (error: unknown) => failureOf(error),
      ),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome === "won").length).toBe(1);
    for (const outcome of outcomes.filter((outcome) => outcome !== "won"))
      expect(outcome).toMatchObject({
        reason: Reason.VERSION_CONFLICT,
        metadata: { current_version: "2" },
      });
    const { versions } = await secrets.call(owner, listVersions, { secretId });
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
  });

  test("finds no secret of another vault, nor under another project", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    const other = await addTestProject(secrets, owner, "billing");
    const version = { secretId, expectedVersion: 1 };
    const foreign = addTestVersion(secrets, stranger, { ...version, projectId });
    expect(await reasonOf(foreign)).toBe(Reason.NOT_FOUND);
    const misplaced = addTestVersion(secrets, owner, { ...version, projectId: other });
    expect(await reasonOf(misplaced)).toBe(Reason.NOT_FOUND);
  });

  test("is refused when its request comes again, before crypto is asked", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    const body = { projectId, secretId, expectedVersion: 1, value: sealedValue() };
    const request = secrets.deployment.forwardRequest(owner, addVersion, body);
    secrets.memory.sealed.length = 0;
    await secrets.forwarding.forward(request);
    const { result } = await secrets.forwarding.forward(request);
    expect(result.case === "refusal" ? result.value.reason : undefined).toBe(
      Reason.REQUEST_REJECTED,
    );
    expect(secrets.memory.sealed.length).toBe(1);
  });
});

describe("reading about secrets", () => {
  test("finds by id and by name, in the caller's vault only", async () => {
    const secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
    for (const request of [{ secretId }, { projectId, name: "DB_URL" }]) {
      expect((await secrets.call(owner, getSecret, request)).secret?.secretId).toBe(secretId);
      expect(await reasonOf(secrets.call(stranger, getSecret, request))).toBe(Reason.NOT_FOUND);
    }
    expect(await reasonOf(secrets.call(stranger, listSecrets, { projectId }))).toBe(
      Reason.NOT_FOUND,
    );
    expect(await reasonOf(secrets.call(stranger, listVersions, { secretId }))).toBe(
      Reason.NOT_FOUND,
    );
  });

  test("pages secrets by name and versions newest first", async () => {
    for (const name of ["b", "C", "a"]) await addTestSecret(secrets, owner, projectId, name);
    const first = await secrets.call(owner, listSecrets, { projectId, pageSize: 2 });
    const rest = await secrets.call(owner, listSecrets, {
      projectId,
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect([...first.secrets, ...rest.secrets].map(({ name }) => name)).toEqual(["C", "a", "b"]);
    const secretId = first.secrets[0]?.secretId ?? "";
    for (const expectedVersion of [1, 2])
      await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion });
    const newest = await secrets.call(owner, listVersions, { secretId, pageSize: 2 });
    const oldest = await secrets.call(owner, listVersions, {
      secretId,
      pageSize: 2,
      pageToken: newest.nextPageToken,
    });
    expect([...newest.versions, ...oldest.versions].map(({ version }) => version)).toEqual([
      3, 2, 1,
    ]);
    expect(oldest.nextPageToken).toBe("");
  });
});
