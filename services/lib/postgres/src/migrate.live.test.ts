import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type ServiceTestDatabase, createServiceDatabase } from "@sallyport/test/infra";
import { afterEach, beforeEach, expect, test } from "vitest";
import { migrate, openDatabase } from "./index.ts";

let place: ServiceTestDatabase;
let folder: string;
beforeEach(async () => {
  place = await createServiceDatabase("audit");
  folder = mkdtempSync(join(tmpdir(), "sallyport-migrations-"));
  write("0001_first.sql", "create table one (id int); grant select on one to sallyport_audit;");
  write("0002_second.sql", "alter table one add column name text;");
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await place[Symbol.asyncDispose]();
});

const write = (name: string, sql: string): void => writeFileSync(join(folder, name), sql);
const run = (): Promise<string[]> => migrate({ url: place.ownerUrl, folder });

async function read(url: string, statement: string): Promise<object[]> {
  await using database = openDatabase({ url, applicationName: "migrate-test" });
  return await database.query(statement);
}

test("applies what is missing, in order, once", async () => {
  expect(await run()).toEqual(["0001_first.sql", "0002_second.sql"]);
  expect(await run()).toEqual([]);
  write("0003_third.sql", "insert into one values (1, 'a');");
  expect(await migrate({ url: place.ownerUrl, folder: pathToFileURL(folder) })).toEqual([
    "0003_third.sql",
  ]);
  expect(await read(place.servingUrl, "select id, name from one")).toEqual([{ id: 1, name: "a" }]);
});

test("the serving role has what was granted, and no more", async () => {
  await run();
  await expect(read(place.servingUrl, "insert into one values (1)")).rejects.toThrow(
    /permission denied/,
  );
  await expect(read(place.servingUrl, "delete from schema_migrations")).rejects.toThrow(
    /permission denied/,
  );
});

test("a migration that fails leaves nothing of itself", async () => {
  write("0003_third.sql", "create table two (id int); select 1/0;");
  await expect(run()).rejects.toThrow(/0003_third.sql failed: division by zero/);
  await expect(read(place.ownerUrl, "select 1 from two")).rejects.toThrow(/does not exist/);
  write("0003_third.sql", "create table two (id int);");
  expect(await run()).toEqual(["0003_third.sql"]);
});

test("a migration that changed after it was applied is refused", async () => {
  await run();
  write("0001_first.sql", "create table other (id int);");
  await expect(run()).rejects.toThrow(/0001_first.sql was changed/);
});

test.each(["third.sql", "3_third.sql", "0003-third.sql", "0002_again.sql", "0003_third.txt"])(
  "%s in the folder is refused before anything runs",
  async (name) => {
    write(name, "create table two (id int);");
    await expect(run()).rejects.toThrow(/NNNN_what.sql/);
    await expect(read(place.ownerUrl, "select 1 from one")).rejects.toThrow(/does not exist/);
  },
);

test("two runs at once apply everything once", async () => {
  const applied = await Promise.all([run(), run(), run()]);
  expect(applied.flat()).toEqual(["0001_first.sql", "0002_second.sql"]);
});
