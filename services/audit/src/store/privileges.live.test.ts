import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TestLog, append, createTestLog, read } from "../testing/writer.ts";

let log: TestLog;
beforeEach(async () => (log = await createTestLog()));
afterEach(() => log[Symbol.asyncDispose]());

describe("the serving role", () => {
  test.each([
    "update records set reason = 'x'",
    "update records set attempt_id = ''",
    "delete from records",
    "truncate records",
    "drop table records",
    "alter table records disable trigger all",
    "create table other (id int)",
    "create temporary table other (id int)",
    "update refused_secrets set seq = 2",
    "delete from refused_secrets",
    "truncate refused_secrets",
    "drop table refused_secrets",
    "drop index records_read_once",
    "drop index records_request_read_once",
    "delete from schema_migrations",
    "insert into schema_migrations (name, checksum) values ('x', 'y')",
  ])("may not: %s", async (statement) => {
    await using writer = await log.start();
    await append(writer, "crypto", read());
    await expect(log.database.query(statement)).rejects.toMatchObject({ code: "42501" });
    expect(await log.seqs()).toEqual([1]);
  });

  test("has exactly SELECT and INSERT on the log and its list of refused secrets, and nothing on any other table", async () => {
    const rows = await log.database.query<{ table_name: string; privilege_type: string }>(
      `select table_name, privilege_type from information_schema.table_privileges
       where table_schema = 'public' order by 1, 2`,
    );
    expect(rows.map(({ table_name, privilege_type }) => `${table_name} ${privilege_type}`)).toEqual(
      ["records INSERT", "records SELECT", "refused_secrets INSERT", "refused_secrets SELECT"],
    );
  });
});
