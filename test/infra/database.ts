import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";

/** A database of one test file; the URL is a superuser's, so that migrations and grants can run. */
export type TestDatabase = { readonly url: string; drop(): Promise<void> };

/** Makes an empty database; the name is for people and may be given many times. */
export async function createTestDatabase(name: string): Promise<TestDatabase> {
  const admin = inject("databaseUrl");
  const database = `${name.toLowerCase().replaceAll(/[^a-z0-9]/g, "_")}_${randomBytes(4).toString("hex")}`;
  await execute(admin, `create database ${database}`);
  return {
    url: withDatabase(admin, database),
    drop: () => execute(admin, `drop database ${database} with (force)`),
  };
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
