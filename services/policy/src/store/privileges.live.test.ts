import { newId } from "@sallyport/proto/ids";
import { beforeAll, describe, expect, test } from "vitest";
import { type TestPolicy, addTestProject, scopeOf, startTestPolicy } from "../testing/policy.ts";

let policy: TestPolicy;

beforeAll(async () => {
  policy = await startTestPolicy();
  return () => policy[Symbol.asyncDispose]();
});

describe("the serving role", () => {
  test.each([
    "update secrets set project_id = project_id",
    "update projects set vault_id = vault_id",
    "update principals set expires_at = now() + interval '1 year'",
    "update principals set vault_id = vault_id",
    "update grants set secret_id = secret_id",
    "update grants set created_by = created_by",
    "update memberships set project_id = project_id",
    "update project_roles set user_id = user_id",
    "update project_roles set project_id = project_id",
    "update ended_users set vault_id = vault_id",
    "delete from ended_users",
    "update sealed_vaults set vault_id = vault_id",
    "update sealed_secrets set created_by = created_by",
    "truncate sealed_secrets",
    "delete from principals",
    "delete from secrets",
    "delete from projects",
    "truncate grants",
    "alter table grants add column note text",
    "create table extra (id text)",
  ])("may not: %s", async (statement) => {
    await expect(policy.database.query(statement)).rejects.toThrow(
      /permission denied|must be owner/,
    );
  });
});

describe("the tables", () => {
  test("hold no grant, role or setting across vaults, whatever is asked of them", async () => {
    const ours = await addTestProject(policy, 1);
    const theirs = await addTestProject(policy, 1);
    const scope = scopeOf(ours, []);
    await policy.scope.applyScope(scope);
    const values = [
      scope.machineId,
      theirs.secretIds[0],
      theirs.projectId,
      theirs.vaultId,
      newId("usr"),
    ];
    const grant = policy.database.query(
      `insert into grants (machine_id, secret_id, project_id, vault_id, created_by, created_at)
       values ($1, $2, $3, $4, $5, now())`,
      values,
    );
    await expect(grant).rejects.toThrow(/foreign key/);
    const membership = policy.database.query(
      `insert into memberships (machine_id, project_id, vault_id, created_by, created_at)
       values ($1, $2, $3, $4, now())`,
      [scope.machineId, theirs.projectId, theirs.vaultId, newId("usr")],
    );
    await expect(membership).rejects.toThrow(/foreign key/);
    const role = policy.database.query(
      `insert into project_roles (user_id, project_id, vault_id, role, updated_by, updated_at)
       values ($1, $2, $3, 'manager', $1, now())`,
      [newId("usr"), theirs.projectId, ours.vaultId],
    );
    await expect(role).rejects.toThrow(/foreign key/);
    const sealing = policy.database.query(
      `insert into sealed_secrets (secret_id, project_id, vault_id, created_by, created_at)
       values ($1, $2, $3, $4, now())`,
      [theirs.secretIds[0], theirs.projectId, ours.vaultId, newId("usr")],
    );
    await expect(sealing).rejects.toThrow(/foreign key/);
  });
});
