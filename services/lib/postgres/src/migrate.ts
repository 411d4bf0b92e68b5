import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Client } from "pg";
import { clientConfig } from "./connection.ts";
import { translated } from "./errors.ts";
import { runTransaction } from "./transaction.ts";

/** Which database, as its owner, and the folder that holds NNNN_what.sql files. */
export type MigrateOptions = { readonly url: string; readonly folder: string | URL };

type Migration = { readonly name: string; readonly sql: string; readonly checksum: string };

const fileName = /^(\d{4})_[a-z0-9_]+\.sql$/;

/**
 * Applies the migrations that the database does not have yet, in order, each in a transaction of
 * its own, and returns their names. Only one run at a time gets past the lock. Throws when a file
 * does not follow NNNN_what.sql, when two have one number, or when an applied file has changed
 * since: applied migrations are history.
 */
export async function migrate({ url, folder }: MigrateOptions): Promise<string[]> {
  const migrations = readMigrations(typeof folder === "string" ? folder : fileURLToPath(folder));
  const client = new Client(clientConfig({ url, applicationName: "sallyport-migrate" }, 0));
  client.on("error", () => undefined); // The running statement rejects with it.
  try {
    await client.connect();
    return await applyPending(client, migrations);
  } catch (error) {
    throw translated(error);
  } finally {
    await client.end();
  }
}

async function applyPending(client: Client, migrations: readonly Migration[]): Promise<string[]> {
  await client.query("select pg_advisory_lock(hashtext('sallyport-migrate'))");
  await client.query(`create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`);
  const { rows } = await client.query<{ name: string; checksum: string }>(
    "select name, checksum from schema_migrations",
  );
  const applied = new Map(rows.map(({ name, checksum }) => [name, checksum]));
  const pending = migrations.filter((migration) => !isApplied(migration, applied));
  for (const migration of pending) await apply(client, migration);
  return pending.map(({ name }) => name);
}

function isApplied({ name, checksum }: Migration, applied: ReadonlyMap<string, string>): boolean {
  const known = applied.get(name);
  if (known !== undefined && known !== checksum)
    throw new Error(`migration ${name} was changed after it was applied`);
  return known !== undefined;
}

async function apply(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await runTransaction(client, async (tx) => {
      await client.query(sql); // Many statements: these cannot be prepared.
      await tx.query("insert into schema_migrations (name, checksum) values ($1, $2)", [
        name,
        checksum,
      ]);
    });
  } catch (cause) {
    throw new Error(`migration ${name} failed: ${cause instanceof Error ? cause.message : ""}`, {
      cause,
    });
  }
}

function readMigrations(folder: string): Migration[] {
  const names = readdirSync(folder).sort();
  const numbers = names.map((name) => fileName.exec(name)?.[1]);
  const wrong = names.find(
    (_, index) => numbers[index] === undefined || numbers[index] === numbers[index - 1],
  );
  if (wrong !== undefined) throw new Error(`${wrong} is not the only NNNN_what.sql of its number`);
  return names.map((name) => {
    const sql = readFileSync(join(folder, name), "utf8");
    return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
  });
}
