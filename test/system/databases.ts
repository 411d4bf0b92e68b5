import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseOwner, System } from "@sallyport/deploy/local";
import { Client } from "pg";

/** The role that a service works with, and the one that owns its tables. */
export type Role = "serving" | "owner";

/** The URL with which a role opens its service's database. */
export function databaseUrl(
  { layout }: Pick<System, "layout">,
  owner: DatabaseOwner,
  role: Role = "owner",
): string {
  const file =
    role === "owner"
      ? join(layout.supervisor, `${owner}-owner.url`)
      : join(layout.folder(owner), "database.url");
  return readFileSync(file, "utf8").trim();
}

/** A connection to one database, by somebody who has that role's password. */
export async function openDatabase(
  ...whose: Parameters<typeof databaseUrl>
): Promise<Client & AsyncDisposable> {
  const client = new Client({ connectionString: databaseUrl(...whose) });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Every table that is not Postgres's own, as statements name it. */
export async function tablesOf(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
  );
  return rows.map(({ name }) => name);
}
