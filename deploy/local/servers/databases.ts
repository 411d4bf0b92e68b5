import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Client } from "pg";
import { runProgram } from "../host/command.ts";
import { type DatabaseOwner, type Layout, databaseOwners } from "../data/layout.ts";
import type { Postgres } from "./postgres.ts";
import type { Wiring } from "../start/wiring.ts";

/**
 * Makes one database for each service that owns one, with two roles: the owner, which only
 * migrations use, and the serving role. Both get a new password at every start; the service is
 * given the serving one only.
 */
export async function prepareDatabases(
  postgres: Postgres,
  layout: Layout,
  wiring: Wiring,
): Promise<void> {
  const client = new Client({ connectionString: postgres.superuserUrl() });
  await client.connect();
  try {
    for (const service of databaseOwners)
      await prepareDatabase({ client, postgres, layout, wiring, service });
  } finally {
    await client.end();
  }
  await Promise.all(databaseOwners.map((service) => migrateDatabase(layout, service)));
}

type Preparation = {
  readonly client: Client;
  readonly postgres: Postgres;
  readonly layout: Layout;
  readonly wiring: Wiring;
  readonly service: DatabaseOwner;
};

async function prepareDatabase(preparation: Preparation): Promise<void> {
  const { client, postgres, layout, wiring, service } = preparation;
  const database = `sallyport_${service}`;
  const owner = await renewRole(client, `${database}_owner`);
  const serving = await renewRole(client, database);
  const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [
    database,
  ]);
  if (rowCount === 0) {
    await client.query(`create database ${database} owner ${owner.name}`);
    await client.query(`revoke all on database ${database} from public`);
    await client.query(`grant connect on database ${database} to ${serving.name}`);
  }
  const { port } = postgres;
  const url = ({ name, password }: Role, folder: string): string =>
    `postgres://${name}:${password}@localhost/${database}?host=${encodeURIComponent(folder)}&port=${port}`;
  const seen = dirname(
    wiring.socket(service, "postgres", join(postgres.socketDir(service), `.s.PGSQL.${port}`)),
  );
  writeFileSync(ownerUrlFile(layout, service), url(owner, postgres.socketDir("own")), {
    mode: 0o600,
  });
  writeFileSync(join(layout.folder(service), "database.url"), url(serving, seen), { mode: 0o600 });
}

type Role = { readonly name: string; readonly password: string };

// The names and the password are ours and hold no character that SQL would mind.
async function renewRole(client: Client, name: string): Promise<Role> {
  const password = randomBytes(24).toString("hex");
  const { rowCount } = await client.query("select 1 from pg_roles where rolname = $1", [name]);
  await client.query(
    `${rowCount === 0 ? "create" : "alter"} role ${name} login password '${password}'`,
  );
  return { name, password };
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
