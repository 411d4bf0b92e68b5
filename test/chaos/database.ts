import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { System } from "@sallyport/deploy/local";
import { Client } from "pg";

/** Runs statements on a service's database as the role that owns it, over a connection of its own. */
export async function asOwner<T>(
  { layout }: System,
  service: "audit" | "identity" | "policy" | "secrets",
  run: (client: Client) => Promise<T>,
): Promise<T> {
  return onDatabase(readFileSync(join(layout.supervisor, `${service}-owner.url`), "utf8"), run);
}

/** Runs statements on the audit database as Postgres's superuser. */
export async function asSuperuser<T>({ layout }: System, run: (client: Client) => Promise<T>): Promise<T> {
  const url = new URL(readFileSync(join(layout.supervisor, "audit-owner.url"), "utf8"));
  url.username = "postgres";
  url.password = readFileSync(join(layout.postgres, "superuser.password"), "utf8");
  return onDatabase(url.href, run);
}

async function onDatabase<T>(url: string, run: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await run(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
