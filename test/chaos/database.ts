import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { System } from "@sallyport/deploy/local";
import type { Client } from "pg";
import { withClient } from "../infra/roles.ts";
import { databaseUrl } from "../system/databases.ts";

/** Runs statements on the audit database as Postgres's superuser. */
export async function asSuperuser<T>(
  system: System,
  run: (client: Client) => Promise<T>,
): Promise<T> {
  const url = new URL(databaseUrl(system, "audit"));
  url.username = "postgres";
  url.password = readFileSync(join(system.layout.postgres, "superuser.password"), "utf8");
  return withClient(url.href, run);
}
