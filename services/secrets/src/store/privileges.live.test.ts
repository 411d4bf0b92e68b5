import { setTimeout as pause } from "node:timers/promises";
import { type Database, openDatabase } from "@sallyport/postgres";
import { newId } from "@sallyport/proto/ids";
import { newUser } from "@sallyport/test/infra";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type TestSecrets,
  addTestProject,
  addTestSecret,
  deleteTestSecret,
  startTestSecrets,
} from "../testing/secrets.ts";

let secrets: TestSecrets;
let serving: Database;
let owner: Database;
let secretId: string;
let projectId: string;

beforeAll(async () => {
  secrets = await startTestSecrets();
  serving = secrets.database;
  owner = openDatabase({ url: secrets.ownerUrl, applicationName: "test-owner" });
  return async () => {
    await owner[Symbol.asyncDispose]();
    await secrets[Symbol.asyncDispose]();
  };
});

beforeEach(async () => {
  const user = newUser();
  projectId = await addTestProject(secrets, user);
  secretId = await addTestSecret(secrets, user, projectId, "DB_URL");
  await addTestSecret(secrets, user, projectId, "API_KEY");
  await addTestProject(secrets, user, "empty");
  await deleteTestSecret(secrets, user, secretId);
});

/** How long ago the secret was deleted, in seconds by the database's clock. */
async function deletedAgo(id = secretId): Promise<number> {
  const [row] = await serving.query<{ ago: number }>(
    "select extract(epoch from clock_timestamp() - deleted_at)::float8 as ago from secrets where secret_id = $1",
    [id],
  );
  if (!row) throw new Error("it is gone");
  return row.ago;
}

async function purged(): Promise<number> {
  const rows = await serving.query("select purge_secrets(array(select secret_id from secrets))");
  return (
    rows.length +
    (await serving.query("select purge_projects(array(select project_id from projects))")).length
  );
}

describe("the serving role", () => {
  test.each([
    "update versions set envelope = ''",
    "update versions set created_by = 'x'",
    "delete from versions",
    "update secrets set name = 'x'",
    "update secrets set vault_id = 'x'",
    "update secrets set created_at = now()",
    "delete from secrets",
    "update projects set name = 'x'",
    "delete from projects",
    "update project_keys set wrapped_key = ''",
    "delete from project_keys",
    "insert into purged_ids (id) values ('x')",
    "delete from purged_ids",
    "truncate versions",
    "truncate purged_ids",
    "create table extra (id text)",
    "create temporary table secrets (secret_id text, deleted_at timestamptz)",
    "create schema extra",
    "create function now() returns timestamptz language sql as 'select null::timestamptz'",
    "alter table secrets disable trigger stamp_deletion",
    "alter table secrets disable trigger all",
    "drop trigger stamp_deletion on secrets",
    "alter function purge_delay() rename to never",
    "create or replace function purge_delay() returns interval language sql return interval '0'",
    "alter function purge_secrets(text[]) set search_path = public",
    "set session_replication_role = replica",
    "set role sallyport_secrets_owner",
  ])("may not: %s", async (statement) => {
    await expect(serving.query(statement)).rejects.toThrow(/permission denied|must be owner/);
  });

  const longAgo = "now() - interval '40 days'";
  test.each([
    {
      name: "by deleting again",
      sql: `update secrets set deleted_at = ${longAgo}, deleted_by = 'x'`,
    },
    {
      name: "by moving a deletion",
      sql: `update secrets set deleted_at = ${longAgo} where deleted_at is not null`,
    },
    {
      name: "by restoring and deleting again",
      sql: `with back as (update secrets set deleted_at = null, deleted_by = null returning secret_id)
            update projects set deleted_at = ${longAgo}, deleted_by = 'x' where exists (select from back)`,
    },
    {
      name: "of projects",
      sql: `update projects set deleted_at = ${longAgo}, deleted_by = 'x'`,
    },
  ])("cannot date a deletion back $name", async ({ sql }) => {
    await serving.query(sql);
    for (const table of ["secrets", "projects"])
      expect(
        await serving.query(
          `select 1 from ${table} where deleted_at < now() - interval '1 minute'`,
        ),
      ).toEqual([]);
    expect(await purged()).toBe(0);
  });

  test("cannot store what is deleted long since", async () => {
    const id = newId("sec");
    await serving.query(
      `insert into secrets (secret_id, project_id, vault_id, name, current_version, created_by, created_at,
                            updated_at, deleted_at, deleted_by)
       select $1, project_id, vault_id, 'OLD', 1, 'x', now(), now(), now() - interval '40 days', 'x'
         from projects where project_id = $2`,
      [id, projectId],
    );
    expect(await deletedAgo(id)).toBeLessThan(60);
    expect(await purged()).toBe(0);
  });

  test("gains nothing by a transaction that was begun long before", async () => {
    const [living] = await serving.query<{ secret_id: string }>(
      "select secret_id from secrets where deleted_at is null limit 1",
    );
    const id = living?.secret_id ?? "";
    await serving.transaction(async (tx) => {
      await tx.query("select now()");
      await pause(300);
      await tx.query(
        "update secrets set deleted_at = now(), deleted_by = 'x' where secret_id = $1",
        [id],
      );
    });
    expect(await deletedAgo(id)).toBeLessThan(0.25);
  });

  test("gains nothing by its own search path or time zone", async () => {
    await serving.transaction(async (tx) => {
      await tx.query("set local search_path = pg_temp, public");
      await tx.query("set local timezone = 'Pacific/Kiritimati'");
      const rows = await tx.query(
        "select public.purge_secrets(array(select secret_id from public.secrets))",
      );
      expect(rows).toEqual([]);
    });
  });

  test("has something purged only when the owner's clock says so", async () => {
    await owner.transaction(async (tx) => {
      await tx.query("alter table secrets disable trigger stamp_deletion");
      const aged = "update secrets set deleted_at = now() - $2::interval where secret_id = $1";
      await tx.query(aged, [secretId, "719 hours 59 minutes"]);
      await tx.query("alter table secrets enable trigger stamp_deletion");
    });
    expect(await purged()).toBe(0);
    await owner.transaction(async (tx) => {
      await tx.query("alter table secrets disable trigger stamp_deletion");
      const aged = "update secrets set deleted_at = now() - $2::interval where secret_id = $1";
      await tx.query(aged, [secretId, "720 hours"]);
      await tx.query("alter table secrets enable trigger stamp_deletion");
    });
    expect(await purged()).toBe(1);
  });
});

test("what runs with the owner's rights is bound to its schema and open to the serving role alone", async () => {
  const functions = await owner.query<{ name: string; config: string[]; acl: string }>(
    `select proname as name, proconfig as config, array_to_string(proacl, ' ') as acl
       from pg_proc where prosecdef and pronamespace = 'public'::regnamespace order by proname`,
  );
  expect(functions.map(({ name }) => name)).toEqual(["purge_projects", "purge_secrets"]);
  for (const { config, acl } of functions) {
    expect(config).toEqual(["search_path=pg_catalog, pg_temp"]);
    expect(acl.split(" ").map((entry) => entry.split("=")[0])).toEqual([
      "sallyport_secrets_owner",
      "sallyport_secrets",
    ]);
  }
});
