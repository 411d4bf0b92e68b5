import { Client } from "pg";

/** The services that keep a database. */
export type DatabaseService = "identity" | "policy" | "secrets" | "audit";

/**
 * A role that may log in; the name and the password are ours and hold no character that SQL would
 * mind.
 */
export type Role = { readonly name: string; readonly password: string };

/**
 * Makes the roles that are missing, with the same password whoever comes first; any number may do
 * so at once.
 */
export async function ensureRoles(client: Client, roles: readonly Role[]): Promise<void> {
  await client.query("begin");
  // Roles belong to the whole cluster, and CREATE ROLE has no IF NOT EXISTS.
  await client.query("select pg_advisory_xact_lock(hashtext('sallyport roles'))");
  for (const { name, password } of roles) {
    const { rowCount } = await client.query("select 1 from pg_roles where rolname = $1", [name]);
    if (rowCount === 0) await client.query(`create role ${name} login password '${password}'`);
  }
  await client.query("commit");
}

/** Runs with one connection, closed afterwards. */
export async function withClient<T>(url: string, run: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end();
  }
}
