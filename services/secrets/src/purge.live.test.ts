import { type Database, openDatabase } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { ProjectService } from "@sallyport/proto/gen/sallyport/secrets/v1/project_pb.ts";
import { SecretService } from "@sallyport/proto/gen/sallyport/secrets/v1/secret_pb.ts";
import { type SigningUser, newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { faults, mend } from "./testing/faults.ts";
import { resetPeers } from "./testing/memory-peers.ts";
import {
  type TestSecrets,
  actionsOf,
  addTestProject,
  addTestSecret,
  addTestVersion,
  ageDeletion,
  deleteTestSecret,
  fillTestProject,
  reasonOf,
  startTestSecrets,
  newSecretRequest,
} from "./testing/secrets.ts";

let secrets: TestSecrets;
let database: Database;
let owner: SigningUser;
let projectId: string;
let secretId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  database = secrets.database;
  return () => secrets[Symbol.asyncDispose]();
});

beforeEach(async () => {
  mend(secrets);
  resetPeers(secrets.memory);
  owner = newUser();
  projectId = await addTestProject(secrets, owner);
  secretId = await addTestSecret(secrets, owner, projectId, "DB_URL");
  await addTestVersion(secrets, owner, { projectId, secretId, expectedVersion: 1 });
  await deleteTestSecret(secrets, owner, secretId);
  resetPeers(secrets.memory);
});

async function rowsOf(
  table: "secrets" | "versions" | "purged_ids",
  key: string,
  id = secretId,
): Promise<number> {
  const [row] = await database.query<{ rows: number }>(
    `select count(*)::int as rows from ${table} where ${key} = $1`,
    [id],
  );
  return row?.rows ?? 0;
}

const stored = async () => [
  await rowsOf("secrets", "secret_id"),
  await rowsOf("versions", "secret_id"),
];

async function removeProject(): Promise<void> {
  await secrets.call(owner, ProjectService.method.deleteProject, { projectId, name: "payments" });
}

describe("the purge", () => {
  test("leaves the living and what was deleted less than 30 days ago", async () => {
    const living = await addTestSecret(secrets, owner, projectId, "API_KEY");
    await secrets.purge();
    expect([await stored(), secrets.memory.told]).toEqual([[1, 2], []]);
    const kept = { requestDigest: new Uint8Array(32), vaultId: owner.vaultId, secretIds: [living] };
    expect((await secrets.fetching.fetch({ items: [kept] })).results[0]?.secrets.length).toBe(1);
  });

  test("removes envelopes, versions and names after that, tells policy before, and records it", async () => {
    await ageDeletion(secrets, secretId);
    await secrets.purge();
    expect(await stored()).toEqual([0, 0]);
    expect([secrets.memory.told, secrets.memory.retired.has(secretId)]).toEqual([["purge"], true]);
    const { vaultId } = owner;
    const actor = { actorKind: ActorKind.SERVICE, actorId: "secrets", vaultId };
    expect(secrets.memory.events).toMatchObject([
      { action: "secret.purged", secretId, projectId, ...actor, detail: { name: "DB_URL" } },
    ]);
    await secrets.purge();
    expect(actionsOf(secrets)).toEqual(["secret.purged"]);
  });

  test("takes nothing more while audit takes no records", async () => {
    const other = await addTestSecret(secrets, owner, projectId, "OTHER");
    await deleteTestSecret(secrets, owner, other);
    const isLeft = async () =>
      (await database.query("select from secrets where secret_id = $1", [other])).length > 0;
    secrets.memory.down.audit = true;
    await ageDeletion(secrets, secretId);
    await expect(secrets.purge()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    expect(await stored()).toEqual([0, 0]);
    await ageDeletion(secrets, other);
    await expect(secrets.purge()).rejects.toMatchObject({ reason: Reason.DEPENDENCY_UNAVAILABLE });
    expect(await isLeft()).toBe(true);
    mend(secrets);
    await secrets.purge();
    expect(await isLeft()).toBe(false);
  });

  test("lets nobody have the id again", async () => {
    const request = newSecretRequest(owner, projectId, "SPENT");
    await secrets.call(owner, SecretService.method.createSecret, request);
    await deleteTestSecret(secrets, owner, request.secretId);
    await ageDeletion(secrets, request.secretId);
    await secrets.purge();
    const again = secrets.call(owner, SecretService.method.createSecret, request);
    await expect(again).rejects.toMatchObject({
      reason: Reason.ALREADY_EXISTS,
      metadata: { field: "secret_id" },
    });
    expect(await rowsOf("purged_ids", "id", request.secretId)).toBe(1);
  });

  test("of a project takes its keys with it, after its secrets", async () => {
    await removeProject();
    await ageDeletion(secrets, projectId);
    await secrets.purge();
    // Its secret is not due: it keeps its project, and its key.
    expect(await stored()).toEqual([1, 2]);
    await ageDeletion(secrets, secretId);
    secrets.memory.events.length = 0;
    await secrets.purge();
    for (const table of ["projects", "project_keys", "secrets"])
      expect(
        await database.query(`select 1 from ${table} where project_id = $1`, [projectId]),
      ).toEqual([]);
    expect(actionsOf(secrets)).toEqual(["secret.purged", "project.purged"]);
    expect(secrets.memory.events[1]).toMatchObject({
      projectId,
      vaultId: owner.vaultId,
      secretId: "",
      detail: { name: "payments" },
    });
    expect(secrets.memory.retired).toContain(projectId);
  });

  test("takes a secret with many versions in several steps, and no one finds it in between", async () => {
    await using tables = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
    await tables.query(
      `insert into versions
         (secret_id, version, project_id, key_generation, envelope, kind, field_names, created_by, created_at)
       select secret_id, n, project_id, 1, '\\x00', 1, '{}', created_by, created_at
         from secrets, generate_series(3, 2500) n where secret_id = $1`,
      [secretId],
    );
    await ageDeletion(secrets, secretId);
    const once = await database.query("select purge_secrets(array[$1])", [secretId]);
    expect([once, await stored()]).toEqual([[], [1, 1500]]);
    expect(
      await reasonOf(secrets.call(owner, SecretService.method.restoreSecret, { secretId })),
    ).toBe(Reason.NOT_FOUND);
    await secrets.purge();
    expect(await stored()).toEqual([0, 0]);
    expect(actionsOf(secrets)).toEqual(["secret.purged"]);
  });

  test("works through more than a batch, each once, also in two replicas at a time", async () => {
    await fillTestProject(secrets, projectId, 119);
    await using tables = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
    await tables.query("alter table secrets disable trigger stamp_deletion");
    const rows = await tables.query<{ secret_id: string }>(
      `update secrets set deleted_at = now() - interval '721 hours', deleted_by = 'usr'
        where project_id = $1 returning secret_id`,
      [projectId],
    );
    await tables.query("alter table secrets enable trigger stamp_deletion");
    const ids = rows.map(({ secret_id }) => secret_id);
    expect(ids.length).toBe(120);
    secrets.memory.events.length = 0;
    await Promise.all([secrets.purge(), secrets.purge(), secrets.purge()]);
    const purged = secrets.memory.events.map((event) => event.secretId);
    expect(purged.toSorted()).toEqual(ids.toSorted());
    expect(await stored()).toEqual([0, 0]);
  });

  test.each(faults)(
    "that fails because $name is finished by the next, with one record",
    async ({ cause }) => {
      await ageDeletion(secrets, secretId);
      cause(secrets);
      await expect(secrets.purge()).rejects.toThrow();
      mend(secrets);
      await secrets.purge();
      // The record of a change that was committed before may come from the outbox.
      await expect.poll(() => actionsOf(secrets), { timeout: 5_000 }).toEqual(["secret.purged"]);
      expect([await stored(), secrets.memory.retired.has(secretId)]).toEqual([[0, 0], true]);
    },
  );
});
