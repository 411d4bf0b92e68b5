import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, DatabaseError } from "pg";
import { repository, runProgram } from "../host/command.ts";
import { type DatabaseOwner, type Layout, databaseOwners } from "../data/layout.ts";
import type { Postgres } from "./postgres.ts";

/**
 * Makes the databases and roles of deploy/postgres/roles.sql as far as they are missing, and
 * migrates them. Every role gets a new password at every start; a service is given the URL of its
 * serving role only, the owner's stays with the supervisor.
 */
export async function prepareDatabases(postgres: Postgres, layout: Layout): Promise<void> {
  const client = new Client({ connectionString: postgres.superuserUrl() });
  await client.connect();
  try {
    await makeRoles(client);
    for (const service of databaseOwners) await renewUrls(client, postgres, layout, service);
  } finally {
    await client.end();
  }
  await Promise.all(databaseOwners.map((service) => migrateDatabase(layout, service)));
}

const duplicates = new Set(["42710", "42P04"]); // duplicate_object, duplicate_database

async function makeRoles(client: Client): Promise<void> {
  const sql = readFileSync(join(repository, "deploy/postgres/roles.sql"), "utf8");
  const statements = sql.replaceAll(/^--.*$/gm, "").split(";");
  for (const statement of statements.filter((text) => text.trim() !== ""))
    await client.query(statement).catch((error: unknown) => {
      if (!(error instanceof DatabaseError && duplicates.has(error.code ?? ""))) throw error;
    });
}

async function renewUrls(
  client: Client,
  postgres: Postgres,
  layout: Layout,
  service: DatabaseOwner,
): Promise<void> {
  const database = `sallyport_${service}`;
  const urlOf = async (role: string, socketDir: string): Promise<string> => {
    const password = randomBytes(24).toString("hex");
    await client.query(`alter role ${role} password '${password}'`);
    const query = `host=${encodeURIComponent(socketDir)}&port=${postgres.port}`;
    return `postgres://${role}:${password}@localhost/${database}?${query}`;
  };
  const owner = await urlOf(`${database}_owner`, postgres.socketDir("own"));
  writeFileSync(ownerUrlFile(layout, service), owner, { mode: 0o600 });
  const serving = await urlOf(database, postgres.socketDir(service));
  writeFileSync(join(layout.folder(service), "database.url"), serving, { mode: 0o600 });
}

/**
 * The file with the URL of the role that owns a service's database; only migrations and ceremonies
 * use it.
 */
export function ownerUrlFile(layout: Layout, service: DatabaseOwner): string {
  return join(layout.supervisor, `${service}-owner.url`);
}

async function migrateDatabase(layout: Layout, service: DatabaseOwner): Promise<void> {
  await runProgram(`services/${service}/src/migrate.ts`, {
    SALLYPORT_DATABASE_URL_FILE: ownerUrlFile(layout, service),
  });
}
